-- Counts a wrong answer to a captcha; the last one allowed spends it.
--
-- KEYS[1] -> captcha
-- KEYS[2] -> counts of reads and wrong answers
-- ARGV[1] -> wrong answers allowed
--
-- Returns 1.
if redis.call('EXISTS', KEYS[1]) == 0 then return 1 end
if redis.call('HINCRBY', KEYS[2], 'wrong', 1) >= tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1], KEYS[2])
else
  redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[1]), 1))
end
return 1
