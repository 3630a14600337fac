-- Records the outcome of a claimed attempt. For the same outcome again it changes nothing and returns 1. An unknown outcome
-- only notes the provider that may have the message: the claim then runs out and counts as unresolved.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> attempt of the claim
-- ARGV[2] -> state: queued, sent, failed, or sending for an unknown outcome
-- ARGV[3] -> provider
-- ARGV[4] -> the provider's id of the message
-- ARGV[5] -> the provider's code
-- ARGV[6] -> when it ended, in milliseconds
-- ARGV[7] -> now in milliseconds
-- ARGV[8] -> "1": the refusal is our own, and does not replace the code of a provider
--
-- Returns 1, or 0 when the claim was taken over or the code is gone.
local code = redis.call('HMGET', KEYS[1], 'attempt', 'state', 'recorded', 'lease_until')
if code[1] ~= ARGV[1] then return 0 end
local this, state = ARGV[1] .. ' ' .. ARGV[2], code[2]
local ended = ARGV[2] == 'sent' or ARGV[2] == 'failed'
if state == 'dropped' and code[4] ~= '0' then
  -- The claim ran out and the code is not needed any more. That it was sent is still worth recording.
  if not ended then return 1 end
elseif state ~= 'sending' then
  -- A report that arrived first replaces what this worker knows.
  if ARGV[2] == 'sending' then this = ARGV[1] .. ' sent' end
  return code[3] == this and 1 or 0
end
local provider, cause = ARGV[3], ARGV[5]
if ARGV[8] == '1' then
  local first = redis.call('HMGET', KEYS[1], 'provider', 'provider_code')
  local from, named = first[1] or '', first[2] or ''
  if named ~= '' and named:sub(1, 4) ~= 'own_' and from ~= 'worker' and from ~= 'router' then
    provider, cause = from, named
  end
end
if ARGV[2] == 'sending' then
  redis.call('HSET', KEYS[1], 'provider', provider, 'provider_code', cause, 'doubt_provider', ARGV[3])
  redis.call('HSETNX', KEYS[1], 'doubt_at', ARGV[6])
else
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'reason', '', 'lease_until', 0, 'provider', provider,
    'provider_id', ARGV[4], 'provider_code', cause, 'accepted_at', ARGV[2] == 'sent' and ARGV[6] or '', 'recorded', this)
end
note(ARGV[7])
return 1
