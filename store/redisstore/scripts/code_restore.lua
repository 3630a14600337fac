-- Makes a used code usable again. The guess that used it is given back too.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> now in milliseconds
--
-- Returns 1, or 0 when the code is gone.
local code = redis.call('HMGET', KEYS[1], 'used', 'attempts')
if not code[1] then return 0 end
if code[1] == '' then return 1 end
redis.call('HSET', KEYS[1], 'used', '', 'used_at', '', 'attempts', math.max(tonumber(code[2]) - 1, 0))
note(ARGV[1])
return 1
