-- Gives back spends. It stands behind window.lua and in front of the scripts that refund.

-- refund returns units to KEYS[i] that were spent at the given time, one where their number is nil. When a clock that was behind
-- has put them in a newer slot, they are taken from the newest slot.
local function refund(i, at, period, wanted)
  wanted = wanted or 1
  local text = redis.call('GET', KEYS[i])
  if not text then return end
  local newest, slot = tonumber(string.match(text, ' (%d+)')), math.floor(at * 60 / period)
  if newest - slot >= SLOTS then return end
  local list, units = slots(text, newest)
  local giver
  for _, s in ipairs(list) do
    if s.at == slot or s.at == newest and not giver then giver = s end
  end
  if not giver then return end
  if units <= wanted then
    redis.call('DEL', KEYS[i]) -- a window without units leaves no key
    return
  end
  giver.units = giver.units - wanted
  redis.call('SET', KEYS[i], units - wanted .. join(list, newest), 'KEEPTTL')
end
