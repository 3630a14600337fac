-- Notes that a code was entered correctly: a further entry comes from its person and is no guess of a stranger.
--
-- KEYS[1] -> code
--
-- Returns 1, or 0 when the code is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'confirmed', 1)
return 1
