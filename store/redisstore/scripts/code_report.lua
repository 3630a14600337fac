-- Stores a vendor's delivery report of a code's message. The same report again changes nothing.
--
-- A delivered message stays delivered, whatever is reported later. A report of failure counts only for the attempt that is
-- recorded, for the one that is being sent, whose answer the report has overtaken, or for an unresolved one that waits for its
-- report. Such a report replaces the answer, so that the message is not sent again, and the worker's own record finds the
-- attempt already recorded. When the person has asked to have the message sent again, that is another message: a report of failure of
-- the former one does not count any more.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> state: delivered or undelivered
-- ARGV[2] -> provider
-- ARGV[3] -> the provider's id of the message, or ""
-- ARGV[4] -> the provider's code
-- ARGV[5] -> when, in milliseconds
-- ARGV[6] -> now in milliseconds
-- ARGV[7] -> which message: how often the person had asked for it again
--
-- Returns {} when no such message was ever sent, or {1 when something changed, else 0; when the code was issued, in
-- milliseconds; the masked number}.
local code = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'issued_at', 'provider', 'provider_id',
  'doubt_provider', 'to', 'resends', 'claimed_resends')
if not code[1] or code[2] == '0' then return {} end
local state, provider, id = code[1], code[4] or '', code[5] or ''
local waits = state == 'queued' and code[6] == ARGV[2] and provider == ARGV[2]
local current = state == 'sending' or waits or state == 'sent' and (provider == '' or provider == ARGV[2])
  and (id == '' or ARGV[3] == '' or id == ARGV[3])
if (code[8] or '0') ~= ARGV[7] or (code[9] or '0') ~= ARGV[7] then current = false end
if state == ARGV[1] or state == 'delivered' or ARGV[1] ~= 'delivered' and not current then
  return {0, tonumber(code[3]), code[7] or ''}
end
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'reason', '', 'lease_until', 0, 'recorded', code[2] .. ' sent',
  'provider', ARGV[2], 'provider_id', ARGV[3], 'provider_code', ARGV[4],
  'delivered_at', ARGV[1] == 'delivered' and ARGV[5] or '')
note(ARGV[6])
return {1, tonumber(code[3]), code[7] or ''}
