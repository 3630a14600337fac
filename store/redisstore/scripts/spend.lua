-- Functions that spend. They stand behind window.lua and in front of the scripts that spend.
--
-- Each window has four arguments: its count, its period in milliseconds, the slot of now, and how long its key lives in milliseconds. The
-- caller computes the last two: converting numbers in Lua takes longer than the commands of Redis.

-- read returns the units of a window's text that count in a slot, the text that follows the units, and whether the slot is the window's
-- newest. The text is false for a window without spends.
local function read(text, slot)
  if not text then return 0, ' ' .. slot, false end
  local units, rest, newest = string.match(text, '^(%d+)( (%d+).*)$')
  if newest == slot then return tonumber(units), rest, true end
  local at = tonumber(slot)
  if tonumber(newest) > at then return tonumber(units), rest, false end
  local list, sum = slots(text, at)
  return sum, join(list, at), false
end

-- take stores the units of the window KEYS[at]. Only the first spend of a slot sets the time to live, which doubles the cost: for as long as
-- the slot counts, and one second more because clocks differ.
local function take(at, units, rest, isOpen, life)
  local text = string.format('%d', units) .. rest
  if isOpen then
    redis.call('SET', KEYS[at], text, 'KEEPTTL')
  else
    redis.call('SET', KEYS[at], text, 'PX', life)
  end
end

-- wait returns the milliseconds until a window has so many units again. It is 0 when it can never have them.
local function wait(units, rest, now, period, count, wanted)
  for _, s in ipairs((slots(units .. rest, tonumber(string.match(rest, '%d+'))))) do
    units = units - s.units
    if units + wanted <= count then return math.ceil((s.at + SLOTS) * period / 60) - now end
  end
  return 0
end

-- judge judges a guard by the texts of four windows: of its codes sent and entered in its period, and of those sent and entered in its history.
-- The first is that of the window at the guard's position, the others follow the last window. args[a] is the guard's count, args[h] the
-- slot of its history. It returns whether enough codes were entered: in the period, in the history, or the history is too short to judge. So a
-- good day outweighs a bad quarter of an hour, and after a bad day the guard's allowance stays small. It also returns whether the guard
-- throttles: also after a bad day whose last period has no codes, so that nothing is refused yet.
local function judge(texts, args, guard, last, a, h, percent)
  local count, slot, day = tonumber(args[a]), args[a + 2], args[h]
  local sent, entered = read(texts[guard], slot), read(texts[last + 1], slot)
  local history, used = read(texts[last + 2], day), read(texts[last + 3], day)
  local isBadDay = history >= count and used * 100 < history * percent
  local isGood = not isBadDay or entered * 100 >= sent * percent
  return isGood, isBadDay and (sent == 0 or not isGood)
end

-- spend takes some units of each window, or of none when one has not so many left and record is not set. The arguments from args[first]
-- on are those of each window from KEYS[from] on. The window at the position guard, 0 for none, is a guard, see judge: after the last
-- window come those of its codes entered, of its history, and of the codes entered in its history, and after the arguments of the last window
-- slot and life of its history. It returns the position of the first window without the units (0 when there is none), the milliseconds
-- until it has them, the position of the tightest window and the units left of it, whether the guard throttles, and the units of each
-- window before. A guard is never the tightest.
local function spend(from, args, first, now, record, wanted, guard, percent)
  if #KEYS < from then return 0, 0, 0, 0, false, {} end
  local texts, before, free, rests, open = redis.call('MGET', unpack(KEYS, from)), {}, {}, {}, {}
  local last, isGood, throttles = #texts, true, false
  if guard > 0 then last = last - 3 end
  local history = first + 4 * last
  if guard > 0 then isGood, throttles = judge(texts, args, guard, last, first + 4 * guard - 4, history, percent) end
  local refused, retry, tightest, left = 0, 0, 0, 0
  for i = 1, last do
    local a = first + 4 * i - 4
    local count = tonumber(args[a])
    if i == guard then count = math.ceil(count / 3) end
    local units
    units, rests[i], open[i] = read(texts[i], args[a + 2])
    local full = units + wanted > count and (i ~= guard or not isGood)
    if refused == 0 and full then refused, retry = i, wait(units, rests[i], now, tonumber(args[a + 1]), count, wanted) end
    before[i], free[i] = units, count - units
  end
  local granted = refused == 0 or record
  for i = 1, last do
    if granted then
      take(from + i - 1, before[i] + wanted, rests[i], open[i], args[first + 4 * i - 1])
      free[i] = free[i] - wanted
    end
    local rest = math.max(free[i], 0)
    if i ~= guard and (tightest == 0 or rest < left) then tightest, left = i, rest end
  end
  if granted and guard > 0 then
    local units, rest, isOpen = read(texts[last + 2], args[history])
    take(from + last + 1, units + wanted, rest, isOpen, args[history + 1])
  end
  return refused, retry, tightest, left, throttles, before
end
