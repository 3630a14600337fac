-- Cancels a code: it cannot be entered any more, and its message is not sent unless a worker has claimed it. Nothing is refunded.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> now in milliseconds
--
-- Returns 1 when the code is canceled, now or before, or 0 when it was used, has expired, was replaced or is gone.
local code = redis.call('HMGET', KEYS[1], 'used', 'expires_at', 'superseded', 'state')
if code[3] == 'canceled' then return 1 end
if code[1] ~= '' or tonumber(code[2]) <= tonumber(ARGV[1]) or code[3] then return 0 end
redis.call('HSET', KEYS[1], 'superseded', 'canceled')
if code[4] == 'queued' then redis.call('HSET', KEYS[1], 'state', 'dropped', 'reason', 'canceled') end
note(ARGV[1])
return 1
