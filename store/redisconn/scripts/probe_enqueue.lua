-- Enqueues a task as Asynq's enqueueCmd does.
--
-- KEYS[1] -> task
-- KEYS[2] -> pending list
-- ARGV[1] -> task id
-- ARGV[2] -> milliseconds to live
--
-- Returns 1.
redis.call('HSET', KEYS[1], 'msg', ARGV[1], 'state', 'pending')
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
