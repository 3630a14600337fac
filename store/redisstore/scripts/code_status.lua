-- Returns the status of a code.
--
-- KEYS[1] -> code
-- KEYS[2] -> pause
--
-- Returns {} for an unknown code, or {state, purpose, name of its use or "", end, 1 when another code has replaced it or 2 when it
-- was canceled, end of the pause, time since which its message is queued, how often the person had it sent again, or -1 when it
-- cannot be, end of the lease, time of issue, time at which a provider has accepted it, time of delivery, time of use, guesses left,
-- channel or "" for SMS, masked recipient, sealed details or ""}. Times are in milliseconds, 0 for none.
local code = redis.call('HMGET', KEYS[1], 'state', 'purpose', 'used', 'expires_at', 'reason', 'superseded', 'issued_at',
  'queued_at', 'resends', 'sealed', 'lease_until', 'accepted_at', 'delivered_at', 'used_at', 'attempts', 'max_attempts', 'channel',
  'to', 'details')
if not code[1] then return {} end
local state = code[1]
-- It was entered, so it was delivered. Its use may have been taken back since.
if state == 'dropped' and code[5] == 'used' then state = 'sent' end
local pause = tonumber(redis.call('HGET', KEYS[2], 'until') or 0)
local over = code[6] and (code[6] == 'canceled' and 2 or 1) or 0
local function time(text) return tonumber(text or '') or 0 end
return {state, code[2], code[3], tonumber(code[4]), over, pause, tonumber(code[8] or code[7]),
  (code[10] or '') ~= '' and code[1] ~= 'dropped' and tonumber(code[9] or 0) or -1, tonumber(code[11] or 0),
  time(code[7]), time(code[12]), time(code[13]), time(code[14]), time(code[16]) - time(code[15]), code[17] or '', code[18] or '',
  code[19] or ''}
