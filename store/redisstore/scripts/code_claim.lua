-- Gives one worker the exclusive right to send a code until its lease ends, or drops a code that need not be sent.
--
-- KEYS[1] -> code
-- KEYS[2] -> outcomes
-- ARGV[1] -> id
-- ARGV[2] -> now in milliseconds
-- ARGV[3] -> when the lease ends, in milliseconds
-- ARGV[4] -> name of this claim: the client repeats a command whose reply was lost
--
-- Returns {"dropped", reason}, {"busy", attempt, end of the other lease}, or {"ok", attempt, end of the lease, number of
-- unresolved claims, provider that may have the message or "", time of the first unresolved claim or 0, how often the person
-- had it sent again, provider that had it before or ""}. Unresolved claims of a former message do not count. Times are in
-- milliseconds. The stored fields of unresolved claims are called doubts, doubt_provider and doubt_at.
local code = redis.call('HMGET', KEYS[1], 'superseded', 'state', 'used', 'expires_at', 'lease_until', 'claim', 'attempt',
  'claimed_at', 'reason', 'doubts', 'doubt_provider', 'doubt_at', 'resends', 'claimed_resends', 'avoid')
if not code[2] then return {'dropped', 'missing'} end
local now, state, lease = tonumber(ARGV[2]), code[2], tonumber(code[5])
local open = state == 'queued' or state == 'sending'

-- unresolve counts a claim that ran out: it is unknown whether the code was sent.
local function unresolve()
  code[10] = redis.call('HINCRBY', KEYS[1], 'doubts', 1)
  code[12] = code[12] or code[8] or ARGV[2]
  redis.call('HSET', KEYS[1], 'doubt_at', code[12])
end

-- drop closes a code unless it is being sent: then its worker records the outcome. The lease of a claim that ran out
-- stays, because that worker may still record that it has sent the code.
local function drop(reason)
  if open and lease <= now then
    redis.call('HSET', KEYS[1], 'state', 'dropped', 'reason', reason)
    if state == 'sending' then unresolve() end
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
  return {'ok', attempt, ends, tonumber(code[10] or 0), code[11] or '', tonumber(code[12] or 0),
    tonumber(code[13] or 0), code[15] or ''}
end
if state == 'sending' and lease > now then
  if code[6] ~= ARGV[4] then return {'busy', tonumber(code[7]), lease} end
  return granted(tonumber(code[7]), lease)
end
if state == 'sending' then unresolve() end
if (code[13] or '0') ~= (code[14] or '0') then -- the first claim of a message that the person has asked for
  redis.call('HSET', KEYS[1], 'doubts', 0, 'claimed_resends', code[13])
  redis.call('HDEL', KEYS[1], 'doubt_provider', 'doubt_at')
  code[10], code[11], code[12] = 0, false, false
end
local attempt = redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'state', 'sending', 'lease_until', ARGV[3], 'claim', ARGV[4], 'claimed_at', ARGV[2])
return granted(attempt, tonumber(ARGV[3]))
