-- Counts a guess on the current code of a number and purpose, before anybody compares it.
--
-- KEYS[1]  -> current code of the purpose
-- KEYS[2…] -> windows of the number
-- ARGV[1]  -> what the keys of the codes begin with
-- ARGV[2]  -> now in milliseconds
-- ARGV[3]  -> "1": windows only record
-- ARGV[4…] -> count and period in milliseconds of each window
--
-- Returns {"expired"}, {"attempts"} when the code has no guess left, {"limit"} when the number has none, or
-- {"ok", id, key id, MAC, guesses left, position of the window that would have refused or 0, milliseconds}.
local id = redis.call('GET', KEYS[1])
if not id then return {'expired'} end
local key = ARGV[1] .. id
local code = redis.call('HMGET', key, 'expires_at', 'used', 'attempts', 'max_attempts', 'key_id', 'mac')
local now = tonumber(ARGV[2])
if not code[1] or tonumber(code[1]) <= now or code[2] ~= '' then return {'expired'} end
local left = tonumber(code[4]) - tonumber(code[3])
if left < 1 then return {'attempts'} end
local record = ARGV[3] == '1'
local refused, retry = spend(KEYS, 2, ARGV, 4, now, record)
if refused > 0 and not record then return {'limit'} end
redis.call('HINCRBY', key, 'attempts', 1)
return {'ok', id, code[5], code[6], left - 1, refused, retry}
