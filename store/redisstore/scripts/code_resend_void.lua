-- Takes back a resend whose message could not be enqueued, with the pause and the units it spent. A message that a worker has claimed
-- or that is reported as delivered since stays as it is.
--
-- KEYS[1]  -> code
-- KEYS[2]  -> outcomes
-- KEYS[3]  -> pause
-- KEYS[4]  -> record of the number, of whose windows the resend spent the first few, see record.lua
-- KEYS[5…] -> windows of the number in earlier releases
-- ARGV[1]  -> id
-- ARGV[2]  -> name of the resend
-- ARGV[3]  -> now in milliseconds
-- ARGV[4…] -> name and period in milliseconds of each window
--
-- Returns 1 when the resend was taken back, else 0.
local code = redis.call('HMGET', KEYS[1], 'resend_name', 'state', 'resends', 'queued_at', 'former_state', 'former_lease',
  'former_queued_at', 'resend_windows', 'claimed_resends')
if code[1] ~= ARGV[2] or code[2] ~= 'queued' or code[9] == code[3] then return 0 end
-- A full Redis allows what needs memory only after the script has removed something; see code_void.lua.
redis.call('HDEL', KEYS[1], 'resend_name', 'avoid', 'former_state', 'former_lease', 'former_queued_at', 'resend_windows')
redis.call('HSET', KEYS[1], 'state', code[5], 'lease_until', code[6], 'queued_at', code[7], 'resends', tonumber(code[3]) - 1)
note(ARGV[3])
refundRecord(4, ARGV, 4, tonumber(code[4]), tonumber(code[8]))
if redis.call('HGET', KEYS[3], 'id') == ARGV[1] then redis.call('DEL', KEYS[3]) end
return 1
