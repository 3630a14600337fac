-- enqueue puts a task on its queue as Asynq's client does. It stands in front of the scripts that enqueue.
--
-- KEYS[at] is the task, KEYS[at + 1] the queue's list. The arguments from args[first] on are the encoded task, its id, and when it is
-- enqueued, in nanoseconds. A task that is there already stays.
local function enqueue(at, args, first)
  if redis.call('EXISTS', KEYS[at]) == 1 then return end
  redis.call('HSET', KEYS[at], 'msg', args[first], 'state', 'pending', 'pending_since', args[first + 2])
  redis.call('LPUSH', KEYS[at + 1], args[first + 1])
end
