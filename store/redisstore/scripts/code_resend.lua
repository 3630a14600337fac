-- Makes the message of a code claimable again because its person asks for it, unless the pause since the number's last message or a
-- limit of the number refuses. For the same resend again it changes nothing and returns ok: the client repeats a command whose reply
-- was lost.
--
-- It begins a message of its own: the claims and reports of the former one do not count for it; see code_claim.lua and
-- code_report.lua. What code_resend_void.lua needs to undo it is kept in fields that begin with "former".
--
-- KEYS[1]  -> code
-- KEYS[2]  -> outcomes
-- KEYS[3]  -> pause
-- KEYS[4]  -> record of the number, see record.lua
-- KEYS[5…] -> windows of the number in earlier releases
-- ARGV[1]  -> id
-- ARGV[2]  -> name of this resend
-- ARGV[3]  -> now in milliseconds
-- ARGV[4]  -> pause in milliseconds
-- ARGV[5]  -> what the code must have left to live, in milliseconds
-- ARGV[6]  -> resends allowed
-- ARGV[7]  -> how long a message is queued before it can be sent again, in milliseconds
-- ARGV[8]  -> "1": limits are only recorded
-- ARGV[9…] -> number of the number's windows that the resend spends, life of the record in milliseconds, and of each window its name, its
--             count, its period in milliseconds and the slot of now
--
-- Returns {"expired"}; {"resent"} after the last resend allowed and for a message that has arrived; {"pause", milliseconds} also while
-- the message is on its way to a provider; {"limit", position of the window, milliseconds}; or
-- {"ok", position of the window that would have refused or 0, milliseconds, resends of the code}.
local code = redis.call('HMGET', KEYS[1], 'state', 'superseded', 'used', 'expires_at', 'lease_until', 'resends', 'resend_name',
  'queued_at', 'issued_at', 'provider')
local state, now, resends = code[1], tonumber(ARGV[3]), tonumber(code[6] or 0)
if not state or state == 'dropped' or code[2] or code[3] ~= '' then return {'expired'} end
if code[7] == ARGV[2] then return {'ok', 0, 0, resends} end
if tonumber(code[4]) - now < tonumber(ARGV[5]) then return {'expired'} end
if resends >= tonumber(ARGV[6]) or state == 'delivered' then return {'resent'} end
local free = 0
if state == 'sending' then free = tonumber(code[5]) end
if state == 'queued' then free = tonumber(code[8] or code[9]) + tonumber(ARGV[7]) end
free = math.max(free, tonumber(redis.call('HGET', KEYS[3], 'until') or 0))
if free > now then return {'pause', free - now} end
local record = ARGV[8] == '1'
local refused, retry = spendRecord(4, ARGV, 9, now, record)
if refused > 0 and not record then return {'limit', refused, retry} end

redis.call('HSET', KEYS[1], 'state', 'queued', 'reason', '', 'lease_until', 0, 'queued_at', ARGV[3], 'resends', resends + 1,
  'resend_name', ARGV[2], 'avoid', code[10] or '', 'former_state', state, 'former_lease', code[5],
  'former_queued_at', code[8] or code[9], 'resend_windows', ARGV[9])
local pause = tonumber(ARGV[4])
if pause > 0 then
  redis.call('HSET', KEYS[3], 'until', string.format('%.0f', now + pause), 'id', ARGV[1])
  redis.call('PEXPIRE', KEYS[3], pause)
end
note(ARGV[3])
return {'ok', refused, retry, resends + 1}
