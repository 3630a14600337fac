-- Records how a claimed attempt ended. Asked again for the same outcome it changes nothing and agrees. When
-- nobody knows how, it notes who may have the message: the claim that runs out is then the doubt.
--
-- KEYS[1] -> code
-- ARGV[1] -> attempt of the claim
-- ARGV[2] -> state: queued, sent, failed, or sending when nobody knows
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
if ARGV[2] == 'sending' then
  redis.call('HSET', KEYS[1], 'provider', ARGV[3], 'provider_code', ARGV[5], 'doubt_provider', ARGV[3])
  redis.call('HSETNX', KEYS[1], 'doubt_at', ARGV[6])
  return 1
end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'lease_until', 0, 'provider', ARGV[3], 'provider_id', ARGV[4],
  'provider_code', ARGV[5], 'recorded_at', ARGV[6], 'recorded', this)
return 1
