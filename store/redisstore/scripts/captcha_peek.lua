-- Reads a captcha without spending it, a few times.
--
-- KEYS[1] -> captcha
-- KEYS[2] -> counts of reads and wrong answers
-- ARGV[1] -> reads allowed
--
-- Returns the stamped answer, or nil when the captcha is gone. Reads are counted before any comparison: parallel requests
-- must not all read the answer before the first wrong one is counted. The field is still called looks.
local value = redis.call('GET', KEYS[1])
if not value then return nil end
if redis.call('HINCRBY', KEYS[2], 'looks', 1) > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1], KEYS[2])
  return nil
end
redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[1]), 1))
return value
