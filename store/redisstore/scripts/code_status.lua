-- Says what is known of a code.
--
-- KEYS[1] -> code
-- KEYS[2] -> pause
-- ARGV[1] -> id
-- ARGV[2] -> what the keys of the current codes begin with
--
-- Returns {} when nothing is, or {state, purpose, name of its use or "", when it ends in milliseconds,
-- 1 when it is the current one, when the pause ends in milliseconds}.
local code = redis.call('HMGET', KEYS[1], 'state', 'purpose', 'used', 'expires_at', 'reason')
if not code[1] then return {} end
local current = 0
if redis.call('GET', ARGV[2] .. code[2]) == ARGV[1] then current = 1 end
local state = code[1]
-- Somebody entered it, so it has arrived. Its use may have been taken back since.
if state == 'dropped' and code[5] == 'used' then state = 'sent' end
local pause = tonumber(redis.call('HGET', KEYS[2], 'until') or 0)
return {state, code[2], code[3], tonumber(code[4]), current, pause}
