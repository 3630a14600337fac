-- Records how a claimed attempt ended. Asked again for the same outcome it changes nothing and agrees.
--
-- KEYS[1] -> code
-- ARGV[1] -> attempt of the claim
-- ARGV[2] -> state: queued, sent or failed
-- ARGV[3] -> provider
-- ARGV[4] -> the provider's id of the message
-- ARGV[5] -> the provider's code
-- ARGV[6] -> when it ended, in milliseconds
--
-- Returns 1, or 0 when the claim was taken over or the code is gone.
local code = redis.call('HMGET', KEYS[1], 'attempt', 'state', 'recorded')
if code[1] ~= ARGV[1] then return 0 end
local this = ARGV[1] .. ' ' .. ARGV[2]
if code[2] ~= 'sending' then return code[3] == this and 1 or 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'lease_until', 0, 'provider', ARGV[3], 'provider_id', ARGV[4],
  'provider_code', ARGV[5], 'recorded_at', ARGV[6], 'recorded', this)
return 1
