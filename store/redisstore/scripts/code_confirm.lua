-- Notes that a code was entered rightly: whoever tries it again is its person, and no stranger who guesses.
--
-- KEYS[1] -> code
--
-- Returns 1, or 0 when the code is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'confirmed', 1)
return 1
