-- spendRecord takes a unit of the first few windows of the record KEYS[at], or of none when one has none left and record is not set. The
-- arguments from args[first] on are: the number of windows to spend; how long the record lives after a spend, in milliseconds; and the name,
-- the count, the period in milliseconds and the slot of now of each window. The keys after KEYS[at] are those in which earlier
-- releases kept these windows: what they counted goes into a new record. It returns the position of the first window without a unit
-- (0 when there is none) and the milliseconds until it has one.
local function spendRecord(at, args, first, now, record)
  if #KEYS == at then return 0, 0 end
  local text, windows = redis.call('GET', KEYS[at]), {}
  if text then
    windows = windowsOf(text)
  else
    for i, window in ipairs(redis.call('MGET', unpack(KEYS, at + 1))) do windows[args[first + 4 * i - 2]] = window or nil end
  end
  local refused, retry = 0, 0
  for i = 1, tonumber(args[first]) do
    local a = first + 4 * i - 2
    local units, rest = read(windows[args[a]], args[a + 3])
    local count = tonumber(args[a + 1])
    if refused == 0 and units >= count then refused, retry = i, wait(units, rest, now, tonumber(args[a + 2]), count, 1) end
    windows[args[a]] = string.format('%d', units + 1) .. rest
  end
  if refused == 0 or record then redis.call('SET', KEYS[at], recordOf(windows), 'PX', args[first + 1]) end
  return refused, retry
end
