-- Takes a task off its queue as Asynq's dequeueCmd does: the task's key is not among KEYS, and cannot be, for the list
-- tells it.
--
-- KEYS[1] -> pending list
-- KEYS[2] -> active list
-- KEYS[3] -> leases
-- ARGV[1] -> what the task's key begins with; its id follows
-- ARGV[2] -> milliseconds to live
--
-- Returns the task's id, or nil when there is none.
local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[2])
if not id then return nil end
local key = ARGV[1] .. id
redis.call('HSET', key, 'state', 'active')
redis.call('ZADD', KEYS[3], 1, id)
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return redis.call('HGET', key, 'msg')
