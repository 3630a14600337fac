-- Functions that count spends in a rolling period. They stand in front of the scripts that spend. A window is named by its
-- position in KEYS: some proxies parse scripts and accept a key only in the form KEYS[…].
--
-- A period has sixty slots. A unit counts until the sixtieth slot after its own is over: at least for the period, at most
-- for one slot more. A caller whose clock is behind spends in the newest slot: nothing is forgotten early, as long as clocks
-- agree to within a second.
--
-- A window is a text: the units that count, the newest slot, and the units of each slot before it, as in
-- "7 480013 480002=1 480011=4". The units that no slot names belong to the newest slot, so that most spends change only the
-- first number. Converting numbers in Lua and Redis takes most of a spend's time.
local SLOTS = 61

-- slots returns the slots of a window that still count in the given slot, oldest first, and their units.
local function slots(text, slot)
  local units, newest, before = string.match(text, '^(%d+) (%d+)(.*)$')
  local list, own, sum = {}, tonumber(units), 0
  local function add(at, n)
    if n > 0 and slot - at < SLOTS then
      list[#list + 1], sum = {at = at, units = n}, sum + n
    end
  end
  for at, n in string.gmatch(before, '(%d+)=(%d+)') do
    own = own - tonumber(n)
    add(tonumber(at), tonumber(n))
  end
  add(tonumber(newest), own)
  return list, sum
end

-- join returns the part of a window's text that follows the units.
local function join(list, newest)
  local parts = {'', newest}
  for _, s in ipairs(list) do
    if s.at ~= newest then parts[#parts + 1] = s.at .. '=' .. s.units end
  end
  return table.concat(parts, ' ')
end

-- read returns a window as it counts now, without changing it. The text is that of KEYS[at], or false.
local function read(at, text, now, count, period)
  local w = {at = at, now = now, count = count, period = period, units = 0, slot = math.floor(now * 60 / period)}
  if not text then return w end
  local units, rest, newest = string.match(text, '^(%d+)() (%d+)')
  newest = tonumber(newest)
  if newest < w.slot then
    local list
    list, w.units = slots(text, w.slot)
    w.rest = join(list, w.slot)
  else
    w.units, w.rest, w.open, w.slot = tonumber(units), string.sub(text, rest), newest == w.slot, newest
  end
  return w
end

-- take spends units. Only the first spend of a slot sets the time to live, which more than doubles the cost: for as long as
-- the slot counts, and one second more because clocks differ.
local function take(w, units)
  w.units = w.units + units
  if w.open then
    redis.call('SET', KEYS[w.at], w.units .. w.rest, 'KEEPTTL')
  else
    redis.call('SET', KEYS[w.at], w.units .. (w.rest or ' ' .. w.slot), 'PX', math.ceil(w.period * SLOTS / 60) + 1000)
  end
end

-- wait returns the milliseconds until the window has so many units again. It is 0 when it can never have them.
local function wait(w, wanted)
  local units = w.units
  for _, s in ipairs((slots(w.units .. (w.rest or ' ' .. w.slot), w.slot))) do
    units = units - s.units
    if units + wanted <= w.count then return math.ceil((s.at + SLOTS) * w.period / 60) - w.now end
  end
  return 0
end

-- judge removes the texts of a guard's three windows from the end of the list: the codes entered in the guard's period, and the
-- codes sent and entered in its history. Their keys follow each other from KEYS[at] on; args[a] and the next are the guard's
-- count and period and the history's period. It returns the history's window, and whether enough codes were entered: in the
-- period, in the history, or the history is too short to judge. So a good day outweighs a bad quarter of an hour, and after a
-- bad day the guard's allowance stays small. Last it returns whether the guard throttles: also after a bad day whose last period
-- has no codes, so that nothing is refused yet.
local function judge(at, texts, args, a, now, percent)
  local count, period, span = tonumber(args[a]), tonumber(args[a + 1]), tonumber(args[a + 2])
  local used = read(nil, table.remove(texts), now, 0, span).units
  local history = read(at + 1, table.remove(texts), now, 0, span)
  local entered = read(nil, table.remove(texts), now, 0, period).units
  local sent = read(nil, texts[#texts], now, 0, period).units
  local isBadDay = history.units >= count and used * 100 < history.units * percent
  local isGood = not isBadDay or entered * 100 >= sent * percent
  return history, isGood, isBadDay and (sent == 0 or not isGood)
end

-- spend takes some units of each window, one where their number is nil, or of none when one has not so many left and record is
-- not set. The arguments from args[first] on are a count and a period for each key from KEYS[from] on. With a percentage the last
-- window is a guard: see judge. It returns the position of the first window without the units (0 when there is none), the
-- milliseconds until it has them, the position of the tightest window and the units left of it, whether the guard throttles, and
-- the units of each window before. A guard is never the tightest.
local function spend(from, args, first, now, record, percent, wanted)
  wanted = wanted or 1
  local windows, before, guard, refused, retry, tightest, left = {}, {}, 0, 0, 0, 0, 0
  if #KEYS < from then return refused, retry, tightest, left, false, before end
  local texts = redis.call('MGET', unpack(KEYS, from))
  local history, isGood, throttles = nil, true, false
  if percent and percent > 0 then
    guard = #texts - 3
    history, isGood, throttles = judge(from + guard, texts, args, first + 2 * guard - 2, now, percent)
  end
  for i, text in ipairs(texts) do
    local a = first + 2 * (i - 1)
    local count = tonumber(args[a])
    if i == guard then count = math.ceil(count / 3) end
    local w = read(from + i - 1, text, now, count, tonumber(args[a + 1]))
    local full = w.units + wanted > w.count and (i ~= guard or not isGood)
    if refused == 0 and full then refused, retry = i, wait(w, wanted) end
    windows[i], before[i] = w, w.units
  end
  windows[#windows + 1] = history
  local granted = refused == 0 or record
  for i, w in ipairs(windows) do
    if granted then take(w, wanted) end
    local rest = math.max(w.count - w.units, 0)
    if (guard == 0 or i < guard) and (tightest == 0 or rest < left) then tightest, left = i, rest end
  end
  return refused, retry, tightest, left, throttles, before
end

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
-- Spends some units of each limit of one place, or of none when one has not so many left.
--
-- KEYS[1…] -> windows, all of one place; a guard's window comes last and is followed by those of the codes entered, of the
--             codes sent in its history, and of the codes entered in its history
-- ARGV[1]  -> now in milliseconds
-- ARGV[2]  -> "1": take the units even when none is left
-- ARGV[3]  -> percentage of codes that must be entered, or 0 when the last window is no guard
-- ARGV[4]  -> units to spend of each window
-- ARGV[5…] -> count and period in milliseconds of each window; after a guard's, the period of its history
--
-- Returns {position of the first window without the units or 0, milliseconds until it has them again, position of the
-- tightest window or 0 when there is only a guard, units left of it, 1 when the guard throttles, units of each window before}.
local refused, retry, tightest, left, throttles, before =
  spend(1, ARGV, 5, tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]))
return {refused, retry, tightest, left, throttles and 1 or 0, unpack(before)}
