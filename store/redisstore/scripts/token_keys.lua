-- Records which keys a process signs tokens with and publishes.
--
-- KEYS[1]  -> history of the keys, see TokenKeys
-- ARGV[1]  -> now, in milliseconds
-- ARGV[2]  -> milliseconds to live
-- ARGV[3…] -> names (kid) of the keys that the process publishes; the first one signs
--
-- Returns 1. A key that no process has published for the time to live is forgotten.
local now, keep, own = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
redis.call('HSETNX', KEYS[1], 'began', now)
for i = 3, #ARGV do
  own[ARGV[i]] = true
  redis.call('HSETNX', KEYS[1], 'published:' .. ARGV[i], now)
  redis.call('HSET', KEYS[1], 'present:' .. ARGV[i], now)
end
redis.call('HSET', KEYS[1], 'signed:' .. ARGV[3], now)
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local kid = string.match(fields[i], '^present:(.*)$')
  if kid and not own[kid] then
    if now - tonumber(fields[i + 1]) > keep then
      redis.call('HDEL', KEYS[1], 'published:' .. kid, 'present:' .. kid, 'missing:' .. kid, 'signed:' .. kid)
    else
      redis.call('HSET', KEYS[1], 'missing:' .. kid, now)
    end
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
