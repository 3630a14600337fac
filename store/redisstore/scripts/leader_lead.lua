-- Makes the caller the leader for some time, or extends its lead, unless another caller leads.
--
-- KEYS[1] -> leader
-- ARGV[1] -> name of the caller
-- ARGV[2] -> for how long, in milliseconds
--
-- Returns 1 when the caller leads, else 0.
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
