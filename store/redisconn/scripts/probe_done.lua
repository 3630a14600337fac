-- Acknowledges a task as Asynq's doneCmd does.
--
-- KEYS[1] -> active list
-- KEYS[2] -> leases
-- KEYS[3] -> task
-- ARGV[1] -> task id
--
-- Returns 1, or 0 when the task was not active.
if redis.call('LREM', KEYS[1], 0, ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
return 1
