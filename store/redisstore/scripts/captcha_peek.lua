-- Returns a captcha's answer and leaves it there, a few times.
--
-- KEYS[1] -> captcha
-- KEYS[2] -> what was tried on it
-- ARGV[1] -> looks allowed
--
-- Returns the stamped answer, or nil when the captcha is gone. Looks are counted before anybody compares:
-- many requests at once must not all see the answer before the first wrong one is counted.
local value = redis.call('GET', KEYS[1])
if not value then return nil end
if redis.call('HINCRBY', KEYS[2], 'looks', 1) > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1], KEYS[2])
  return nil
end
redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[1]), 1))
return value
