-- refundRecord returns a unit that was spent at the given time to the first few windows of the record KEYS[at]. The arguments from args[first] on
-- are name and period in milliseconds of each window. Without a record an earlier release has spent them, in the keys that follow.
local function refundRecord(at, args, first, spent, many)
  many = math.min(many, #KEYS - at)
  local text = redis.call('GET', KEYS[at])
  if not text then
    for i = 1, many do refund(at + i, spent, tonumber(args[first + 2 * i - 1]), 1) end
    return
  end
  local windows = windowsOf(text)
  for i = 1, many do
    local name = args[first + 2 * i - 2]
    if windows[name] then windows[name] = refunded(windows[name], spent, tonumber(args[first + 2 * i - 1]), 1) end
  end
  if next(windows) then
    redis.call('SET', KEYS[at], recordOf(windows), 'KEEPTTL')
  else
    redis.call('DEL', KEYS[at])
  end
end
