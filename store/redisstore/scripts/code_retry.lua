-- Puts a code's message back to queued, while the code can still be entered.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> now in milliseconds
-- ARGV[2] -> "1": change nothing
--
-- Returns {"ok"} or {"refused", reason}: missing, used, expired, superseded, canceled, or the state of a message that is being sent
-- or was delivered. A queued message is ok as it is: its task may have been lost, as when an earlier caller died before it
-- enqueued the task.
local code = redis.call('HMGET', KEYS[1], 'superseded', 'state', 'used', 'expires_at')
if not code[2] then return {'refused', 'missing'} end
if code[3] ~= '' then return {'refused', 'used'} end
if tonumber(code[4]) <= tonumber(ARGV[1]) then return {'refused', 'expired'} end
if code[1] == 'canceled' then return {'refused', 'canceled'} end
if code[1] then return {'refused', 'superseded'} end
local over = code[2] == 'failed' or code[2] == 'undelivered'
if not over and code[2] ~= 'queued' then return {'refused', code[2]} end
if over and ARGV[2] ~= '1' then
  redis.call('HSET', KEYS[1], 'state', 'queued', 'reason', '', 'lease_until', 0)
  note(ARGV[1])
end
return {'ok'}
