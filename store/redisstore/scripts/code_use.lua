-- Marks a code as used, once.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> now in milliseconds
-- ARGV[2] -> name of this use: the client repeats a command whose reply was lost
--
-- Returns {2, provider that sent the code or "", masked recipient, channel or "" for SMS} for the code's first use, {1, ...}
-- after it was used and restored, {3, ""} when another use came first, or {0, ""} when the code is over, superseded or gone.
local code = redis.call('HMGET', KEYS[1], 'expires_at', 'used', 'first_use', 'provider', 'superseded', 'to', 'channel')
if not code[1] then return {0, ''} end
local first = not code[3] or code[3] == ARGV[2]
local used = {first and 2 or 1, code[4] or '', code[6] or '', code[7] or ''}
if code[2] == ARGV[2] then return used end
if tonumber(code[1]) <= tonumber(ARGV[1]) or code[5] then return {0, ''} end
if code[2] ~= '' then return {3, ''} end
redis.call('HSET', KEYS[1], 'used', ARGV[2], 'first_use', code[3] or ARGV[2], 'used_at', ARGV[1])
note(ARGV[1])
return used
