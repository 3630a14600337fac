-- Notes that a code was entered rightly: a further try is that of its person, and no guess of a stranger.
--
-- KEYS[1] -> code
--
-- Returns 1, or 0 when the code is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'confirmed', 1)
return 1
