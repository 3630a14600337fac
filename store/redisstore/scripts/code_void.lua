-- Takes a code back that could not be queued, with the pause and the units it spent; the code before it is
-- the current one again. A code that a worker has claimed stays as it is: it may be on its way already.
--
-- KEYS[1]  -> code
-- KEYS[2]  -> outcomes
-- KEYS[3]  -> pause
-- KEYS[4…] -> windows of the number
-- ARGV[1]  -> id
-- ARGV[2]  -> now in milliseconds
-- ARGV[3]  -> what the keys of the current codes begin with
-- ARGV[4]  -> what the keys of the codes begin with
-- ARGV[5…] -> period in milliseconds of each window
--
-- Returns 1 when the code was taken back, else 0.
local code = redis.call('HMGET', KEYS[1], 'purpose', 'issued_at', 'attempt', 'previous')
if not code[1] or code[3] ~= '0' then return 0 end
-- A full Redis takes no task either, and it must take the code back. It refuses what needs memory only until a
-- script has written something.
redis.call('HDEL', KEYS[1], 'mac')
redis.call('HSET', KEYS[1], 'state', 'dropped', 'reason', 'unqueued')
note(KEYS[2], KEYS[1], ARGV[2])
redis.call('DEL', KEYS[1])
for i = 4, #KEYS do refund(KEYS[i], tonumber(code[2]), tonumber(ARGV[1 + i])) end
if redis.call('HGET', KEYS[3], 'id') == ARGV[1] then redis.call('DEL', KEYS[3]) end

local current = ARGV[3] .. code[1]
if redis.call('GET', current) == ARGV[1] then
  local ends = tonumber(redis.call('HGET', ARGV[4] .. code[4], 'expires_at') or 0)
  if ends > tonumber(ARGV[2]) then
    redis.call('SET', current, code[4], 'PX', ends - tonumber(ARGV[2]))
  else
    redis.call('DEL', current)
  end
end
return 1
