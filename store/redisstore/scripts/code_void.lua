-- Takes back a code that could not be enqueued, with the pause and the units it spent; the code that it replaced counts
-- again. A code that a worker has claimed stays as it is: it may have been sent.
--
-- KEYS[1]  -> code
-- KEYS[2]  -> outcomes
-- KEYS[3]  -> pause
-- KEYS[4]  -> code that this one replaced, or KEYS[1] for none
-- KEYS[5]  -> record of the recipient, of whose windows the code spent the first few, see record.lua
-- KEYS[6…] -> windows of the recipient in earlier releases
-- ARGV[1]  -> id
-- ARGV[2]  -> now in milliseconds
-- ARGV[3…] -> name and period in milliseconds of each window
--
-- Returns 1 when the code was taken back, else 0.
local code = redis.call('HMGET', KEYS[1], 'issued_at', 'attempt', 'windows')
if not code[1] or code[2] ~= '0' then return 0 end
-- When Redis is full it refuses tasks, and then codes must be taken back. After a script has written something, such as this
-- removal, a full Redis allows what needs memory too.
redis.call('HDEL', KEYS[1], 'mac')
redis.call('HSET', KEYS[1], 'state', 'dropped', 'reason', 'unqueued')
note(ARGV[2])
redis.call('DEL', KEYS[1])
-- A code of an older program spent the two windows that there were.
refundRecord(5, ARGV, 3, tonumber(code[1]), tonumber(code[3] or 2))
if redis.call('HGET', KEYS[3], 'id') == ARGV[1] then redis.call('DEL', KEYS[3]) end

if KEYS[4] ~= KEYS[1] and redis.call('HGET', KEYS[4], 'superseded') == ARGV[1] then
  redis.call('HDEL', KEYS[4], 'superseded')
end
return 1
