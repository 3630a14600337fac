-- Notes that a mail is about to be sent, unless the same or a later attempt is noted: then the database is older than the
-- note. For the same caller again it returns 1: the client repeats a command whose reply was lost.
--
-- KEYS[1] -> note
-- ARGV[1] -> attempt of the claim
-- ARGV[2] -> name of the caller
-- ARGV[3] -> how long the note stays, in milliseconds
--
-- Returns 1, or 0 when the mail must not be sent.
local attempt, name = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (.*)$')
if attempt then
  local noted, now = tonumber(attempt), tonumber(ARGV[1])
  if noted > now or noted == now and name ~= ARGV[2] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
