-- Gives one worker the right to send a code until its lease ends, or drops a code that nobody needs sent.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> id
-- ARGV[2] -> now in milliseconds
-- ARGV[3] -> when the lease ends, in milliseconds
-- ARGV[4] -> name of this claim: the client repeats a request whose answer was lost
--
-- Returns {"dropped", reason}, {"busy", attempt, when the other lease ends} or {"ok", attempt, when the lease
-- ends, doubts: claims that ran out, the provider that may have the message or "", when the first doubt arose in
-- milliseconds or 0}.
local code = redis.call('HMGET', KEYS[1], 'superseded', 'state', 'used', 'expires_at', 'lease_until', 'claim', 'attempt',
  'claimed_at', 'reason', 'doubts', 'doubt_provider', 'doubt_at')
if not code[2] then return {'dropped', 'missing'} end
local now, state, lease = tonumber(ARGV[2]), code[2], tonumber(code[5])
local open = state == 'queued' or state == 'sending'

-- doubt counts a claim that ran out: nobody knows whether the code was sent.
local function doubt()
  code[10] = redis.call('HINCRBY', KEYS[1], 'doubts', 1)
  code[12] = code[12] or code[8] or ARGV[2]
  redis.call('HSET', KEYS[1], 'doubt_at', code[12])
end

-- drop closes a code, but for one that is being sent: its worker says what becomes of it. The lease of a claim
-- that ran out stays, for that worker may still come and say that it did send.
local function drop(reason)
  if open and lease <= now then
    redis.call('HSET', KEYS[1], 'state', 'dropped', 'reason', reason)
    if state == 'sending' then doubt() end
    note(ARGV[2])
  end
  return {'dropped', reason}
end

if state == 'dropped' then return {'dropped', code[9]} end
if code[3] ~= '' then return drop('used') end
if state == 'failed' then return {'dropped', 'failed'} end
if not open then return {'dropped', 'sent'} end
if tonumber(code[4]) <= now then return drop('expired') end
if code[1] then return drop('superseded') end
local function granted(attempt, ends)
  return {'ok', attempt, ends, tonumber(code[10] or 0), code[11] or '', tonumber(code[12] or 0)}
end
if state == 'sending' and lease > now then
  if code[6] ~= ARGV[4] then return {'busy', tonumber(code[7]), lease} end
  return granted(tonumber(code[7]), lease)
end
if state == 'sending' then doubt() end
local attempt = redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'state', 'sending', 'lease_until', ARGV[3], 'claim', ARGV[4], 'claimed_at', ARGV[2])
return granted(attempt, tonumber(ARGV[3]))
