-- Counts spends in a rolling period. Put in front of the scripts that spend.
--
-- A window is a hash of 61 slots in a ring: field slot % 61 holds the units of a slot, "units" their sum,
-- "newest" the last slot that was spent in. A slot is a sixtieth of the period. A unit counts until the
-- sixtieth slot after its own is over: at least for the period, at most for a slot more. A caller whose
-- clock is behind spends in the newest slot: nothing is forgotten early.
local SLOTS = 61

-- look returns what counts now; it changes nothing.
local function look(key, now, count, period)
  local w = {key = key, now = now, count = count, period = period, units = 0, passed = {}}
  local slot = math.floor(now * 60 / period)
  local state = redis.call('HMGET', key, 'newest', 'units')
  w.newest = tonumber(state[1] or slot)
  w.slot = math.max(slot, w.newest)
  w.over = w.slot - w.newest >= SLOTS
  if w.over then return w end
  w.units = tonumber(state[2] or 0)
  for s = w.newest + 1, w.slot do w.passed[#w.passed + 1] = s % SLOTS end
  if #w.passed > 0 then
    local forgotten = redis.call('HMGET', key, unpack(w.passed))
    for i = 1, #w.passed do w.units = w.units - tonumber(forgotten[i] or 0) end
  end
  return w
end

-- take spends one unit.
local function take(w)
  if w.over then redis.call('DEL', w.key) end
  if #w.passed > 0 then redis.call('HDEL', w.key, unpack(w.passed)) end
  w.units = w.units + 1
  redis.call('HINCRBY', w.key, w.slot % SLOTS, 1)
  redis.call('HSET', w.key, 'newest', w.slot, 'units', w.units)
  redis.call('PEXPIRE', w.key, math.ceil(w.period * SLOTS / 60))
end

-- wait returns the milliseconds until the window has a unit again.
local function wait(w)
  local slots, flat = {}, redis.call('HGETALL', w.key)
  for i = 1, #flat, 2 do slots[flat[i]] = tonumber(flat[i + 1]) end
  local units = w.units
  for s = w.slot - SLOTS + 1, w.newest do
    units = units - (slots[tostring(s % SLOTS)] or 0)
    if units < w.count then return math.ceil((s + SLOTS) * w.period / 60) - w.now end
  end
  return 0
end

-- spend takes one unit of every window, or of none when one has nothing left and record is not set. The
-- arguments from args[first] on are a count and a period for each key from keys[from] on. It returns the
-- position of the first window without a unit (0 when there is none), the milliseconds until it has one,
-- the position of the tightest window and what is left of it.
local function spend(keys, from, args, first, now, record)
  local windows, refused, retry, tightest, left = {}, 0, 0, 0, 0
  for i = from, #keys do
    local a = first + 2 * (i - from)
    windows[#windows + 1] = look(keys[i], now, tonumber(args[a]), tonumber(args[a + 1]))
  end
  for i, w in ipairs(windows) do
    if refused == 0 and w.units >= w.count then refused, retry = i, wait(w) end
  end
  local granted = refused == 0 or record
  for i, w in ipairs(windows) do
    if granted then take(w) end
    local rest = math.max(w.count - w.units, 0)
    if tightest == 0 or rest < left then tightest, left = i, rest end
  end
  return refused, retry, tightest, left
end

-- refund gives one unit back that was spent at the given time. Where a clock that was behind has put it in
-- a newer slot, the newest one gives.
local function refund(key, at, period)
  local state = redis.call('HMGET', key, 'newest', 'units')
  local newest = tonumber(state[1])
  if not newest or tonumber(state[2]) < 1 then return end
  local slot = math.floor(at * 60 / period)
  if newest - slot >= SLOTS then return end
  if slot > newest or tonumber(redis.call('HGET', key, slot % SLOTS) or 0) < 1 then slot = newest end
  if tonumber(redis.call('HGET', key, slot % SLOTS) or 0) < 1 then return end
  redis.call('HINCRBY', key, slot % SLOTS, -1)
  redis.call('HINCRBY', key, 'units', -1)
end
