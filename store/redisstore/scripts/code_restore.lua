-- Makes a used code usable again.
--
-- KEYS[1] -> code
--
-- Returns 1, or 0 when the code is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'used', '')
return 1
