-- Puts a session on the list of its owner. It may run twice.
--
-- KEYS[1] -> list of the owner's sessions by their ends
-- ARGV[1] -> id of the session
-- ARGV[2] -> its end, milliseconds
-- ARGV[3] -> now
-- ARGV[4] -> most sessions of an owner
--
-- Returns the ids of the surplus sessions: those other than this one that end first.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(last[2]) - tonumber(ARGV[3]), 1))
local over = {}
local many = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4])
if many > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, many)) do
    if id ~= ARGV[1] and #over < many then table.insert(over, id) end
  end
end
return over
