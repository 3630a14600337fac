-- Functions that give back spends. They stand behind window.lua and in front of the scripts that refund.

-- refunded returns a window's text without units that were spent at the given time, or nil when no unit is left. When a clock that was
-- behind has put them in a newer slot, they are taken from the newest slot.
local function refunded(text, at, period, wanted)
  local newest, slot = tonumber(string.match(text, ' (%d+)')), math.floor(at * 60 / period)
  if newest - slot >= SLOTS then return text end
  local list, units = slots(text, newest)
  local giver
  for _, s in ipairs(list) do
    if s.at == slot or s.at == newest and not giver then giver = s end
  end
  if not giver then return text end
  if units <= wanted then return nil end
  giver.units = giver.units - wanted
  return units - wanted .. join(list, newest)
end

-- refund returns units to the window KEYS[i]. A window without units leaves no key.
local function refund(i, at, period, wanted)
  local text = redis.call('GET', KEYS[i])
  if not text then return end
  local rest = refunded(text, at, period, wanted)
  if not rest then
    redis.call('DEL', KEYS[i])
  elseif rest ~= text then
    redis.call('SET', KEYS[i], rest, 'KEEPTTL')
  end
end
