-- Marks a code as used, once.
--
-- KEYS[1] -> code
-- ARGV[1] -> id
-- ARGV[2] -> now in milliseconds
-- ARGV[3] -> name of this use: the client repeats a request whose answer was lost
-- ARGV[4] -> what the keys of the current codes begin with
--
-- Returns 1, or 0 when the code is used, over, superseded or gone.
local code = redis.call('HMGET', KEYS[1], 'purpose', 'expires_at', 'used')
if not code[1] then return 0 end
if code[3] == ARGV[3] then return 1 end
if code[3] ~= '' or tonumber(code[2]) <= tonumber(ARGV[2]) then return 0 end
if redis.call('GET', ARGV[4] .. code[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'used', ARGV[3])
return 1
