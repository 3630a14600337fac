-- Takes an idempotency key for one run of a request, or returns the status of the run that has it.
--
-- KEYS[1] -> record
-- ARGV[1] -> keyed hash of the request's body
-- ARGV[2] -> name of this run: the client repeats a command whose reply was lost
-- ARGV[3] -> now in milliseconds
-- ARGV[4] -> end of the lease in milliseconds
--
-- Returns {'begun'}; {'other'} when the key was used with another body; {'busy'} while another run has it; or
-- {'kept', answer}.
local record = redis.call('HMGET', KEYS[1], 'body', 'run', 'ends_at', 'answer')
if record[1] and record[2] ~= ARGV[2] and tonumber(record[3]) > tonumber(ARGV[3]) then
  if record[1] ~= ARGV[1] then return {'other'} end
  if record[4] == '' then return {'busy'} end
  return {'kept', record[4]}
end
redis.call('HSET', KEYS[1], 'body', ARGV[1], 'run', ARGV[2], 'ends_at', ARGV[4], 'answer', '')
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[4]) - tonumber(ARGV[3]))
return {'begun'}
