-- Ends a run: keeps its answer, or releases the key.
--
-- KEYS[1] -> record
-- ARGV[1] -> name of the run
-- ARGV[2] -> sealed answer; empty releases the key
-- ARGV[3] -> end of the answer in milliseconds
-- ARGV[4] -> life of the answer in milliseconds
--
-- Returns 1, or 0 when the lease is over and another run may have the key.
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'answer', ARGV[2], 'ends_at', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
