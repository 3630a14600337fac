-- Marks a code as used, once.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> id
-- ARGV[2] -> now in milliseconds
-- ARGV[3] -> name of this use: the client repeats a request whose answer was lost
-- ARGV[4] -> what the keys of the current codes begin with
--
-- Returns {2, the provider that sent it or ""} at the code's first use, {1, ...} when it was used and restored
-- before, or {0, ""} when the code is used, over, superseded or gone.
local code = redis.call('HMGET', KEYS[1], 'purpose', 'expires_at', 'used', 'first_use', 'provider')
if not code[1] then return {0, ''} end
local first = not code[4] or code[4] == ARGV[3]
local used = {first and 2 or 1, code[5] or ''}
if code[3] == ARGV[3] then return used end
if code[3] ~= '' or tonumber(code[2]) <= tonumber(ARGV[2]) then return {0, ''} end
if redis.call('GET', ARGV[4] .. code[1]) ~= ARGV[1] then return {0, ''} end
redis.call('HSET', KEYS[1], 'used', ARGV[3], 'first_use', code[4] or ARGV[3], 'used_at', ARGV[2])
note(KEYS[2], KEYS[1], ARGV[2])
return used
