-- Gives a request to a provider a slot when neither of the provider's bounds is reached.
--
-- KEYS[1] -> slots in use, by the times at which they become free
-- KEYS[2] -> window of a second
-- ARGV[1] -> name of the request: the client repeats a command whose reply was lost
-- ARGV[2] -> now in milliseconds
-- ARGV[3] -> when the slot becomes free even if it is not released, in milliseconds
-- ARGV[4] -> most requests at the same time, or 0 for no such bound
-- ARGV[5…] -> most messages in any second, or 0 for no such bound; and the other arguments of the window, see spend.lua
--
-- Returns {"", 0} when the request has a slot, {"busy", 0}, or {"rate", milliseconds until the second has room}.
local now, slots = tonumber(ARGV[2]), tonumber(ARGV[4])
if slots > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return {'', 0} end
  if redis.call('ZCARD', KEYS[1]) >= slots then return {'busy', 0} end
end
if tonumber(ARGV[5]) > 0 then
  local refused, retry = spend(2, ARGV, 5, now, false, 1, 0)
  if refused > 0 then return {'rate', retry} end
end
if slots > 0 then
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  redis.call('PEXPIRE', KEYS[1], math.max(tonumber(last[2]) - now, 1))
end
return {'', 0}
