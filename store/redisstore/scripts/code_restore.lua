-- Makes a used code usable again.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> now in milliseconds
--
-- Returns 1, or 0 when the code is gone.
local used = redis.call('HGET', KEYS[1], 'used')
if not used then return 0 end
if used == '' then return 1 end
redis.call('HSET', KEYS[1], 'used', '', 'used_at', '')
note(KEYS[2], KEYS[1], ARGV[1])
return 1
