-- Stores a new code, unless the pause since the recipient's last one or a limit of the recipient refuses. For a code that is
-- already stored it changes nothing and returns ok: the client repeats a command whose reply was lost.
--
-- Codes of one recipient and purpose exist side by side. A code replaces another only when its request names the other's id.
--
-- KEYS[1]  -> code
-- KEYS[2]  -> outcomes
-- KEYS[3]  -> code that this one replaces, or KEYS[1] for none
-- KEYS[4]  -> pause
-- KEYS[5]  -> id of the newest code of the recipient and purpose where only that one may be entered, or KEYS[1] where codes exist
--             side by side
-- KEYS[6]  -> task that sends the message, or KEYS[1] where the caller enqueues it
-- KEYS[7]  -> list of the task's queue, or KEYS[1]
-- KEYS[8]  -> record of the recipient, see record.lua
-- KEYS[9…] -> windows of the recipient in earlier releases
-- ARGV[1]  -> id
-- ARGV[2]  -> purpose
-- ARGV[3]  -> id of the key that derives the code
-- ARGV[4]  -> MAC to compare with
-- ARGV[5]  -> now in milliseconds
-- ARGV[6]  -> when the code ends, in milliseconds
-- ARGV[7]  -> pause in milliseconds
-- ARGV[8]  -> guesses allowed
-- ARGV[9]  -> how long the code stays known after its end, in milliseconds
-- ARGV[10] -> "1": limits are only recorded
-- ARGV[11] -> masked recipient
-- ARGV[12] -> id of the request
-- ARGV[13] -> id of the code that this one replaces, or ""
-- ARGV[14] -> channel, or "" for SMS
-- ARGV[15] -> sealed number, or "" for a code by mail
-- ARGV[16] -> standing of the requester; 0 needs no field
-- ARGV[17] -> sealed details of an app's code, or ""
-- ARGV[18] -> encoded task, or "" where the caller enqueues it; then its id and its time, see enqueue.lua
-- ARGV[21…] -> number of the recipient's windows that the code spends, life of the record in milliseconds, and of each window its name, its
--               count, its period in milliseconds and the slot of now
--
-- Returns {"moved"} when KEYS[5] is another code than the one to be replaced, {"pause", milliseconds}, {"limit", position of the window, milliseconds} or
-- {"ok", position of the window that would have refused or 0, milliseconds}.
if redis.call('EXISTS', KEYS[1]) == 1 then return {'ok', 0, 0} end
local sole = KEYS[5] ~= KEYS[1]
if sole and (redis.call('GET', KEYS[5]) or '') ~= ARGV[13] then return {'moved'} end
local now, ends, pause = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local paused = redis.call('HGET', KEYS[4], 'until')
if paused and tonumber(paused) > now then return {'pause', tonumber(paused) - now} end
local record = ARGV[10] == '1'
local refused, retry = spendRecord(8, ARGV, 21, now, record)
if refused > 0 and not record then return {'limit', refused, retry} end

if ARGV[13] ~= '' and redis.call('HGET', KEYS[3], 'purpose') == ARGV[2] then
  redis.call('HSETNX', KEYS[3], 'superseded', ARGV[1])
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'purpose', ARGV[2], 'key_id', ARGV[3], 'mac', ARGV[4],
  'state', 'queued', 'attempt', '0', 'attempts', '0', 'max_attempts', ARGV[8], 'used', '',
  'issued_at', ARGV[5], 'expires_at', ARGV[6], 'lease_until', '0',
  'to', ARGV[11], 'request_id', ARGV[12], 'sealed', ARGV[15], 'windows', ARGV[21], 'revision', '1')
if ARGV[14] ~= '' then redis.call('HSET', KEYS[1], 'channel', ARGV[14]) end
if ARGV[16] ~= '0' then redis.call('HSET', KEYS[1], 'standing', ARGV[16]) end
if ARGV[17] ~= '' then redis.call('HSET', KEYS[1], 'details', ARGV[17]) end
redis.call('PEXPIRE', KEYS[1], ends - now + tonumber(ARGV[9]))
if sole then redis.call('SET', KEYS[5], ARGV[1], 'PX', ends - now) end
if pause > 0 then
  redis.call('HSET', KEYS[4], 'until', string.format('%.0f', now + pause), 'id', ARGV[1])
  redis.call('PEXPIRE', KEYS[4], pause)
end
-- Not note: all that it would read again is at hand.
local entry = {'noted_at', ARGV[5], 'id', ARGV[1], 'purpose', ARGV[2], 'to', ARGV[11], 'request_id', ARGV[12],
  'state', 'queued', 'issued_at', ARGV[5], 'expires_at', ARGV[6], 'revision', '1'}
if ARGV[14] ~= '' then
  entry[#entry + 1] = 'channel'
  entry[#entry + 1] = ARGV[14]
end
append(entry)
if ARGV[18] ~= '' then enqueue(6, ARGV, 18) end
return {'ok', refused, retry}
