-- Notes what became of a code. Put in front of the scripts that change one: their KEYS[1] is the code and KEYS[2] the
-- stream of its outcomes.
--
-- A note is an entry in a stream that is in the code's slot: whatever changes a code notes it in the same
-- step. An entry is a copy of the code as it is now, without what opens it, and with a revision that tells
-- which of two entries is later. Entries wait to be copied to the database; sending never waits for that. What
-- waits is bounded, for a database that is away must not fill Redis: 64 streams of about 16384 entries are a
-- million, some 250 MB. What is trimmed then, and what goes with Redis, is missing from the history and
-- nowhere else.
local NOTED = {'id', 'purpose', 'to', 'request_id', 'state', 'reason', 'attempt', 'lease_until', 'doubts',
  'provider', 'provider_id', 'provider_code', 'issued_at', 'expires_at', 'accepted_at', 'delivered_at', 'used_at',
  'revision'}

local DAY = 24 * 60 * 60 * 1000

-- append puts an entry into the stream, which lives for two days after that at least. To look at a time to live takes
-- a third of the time that it takes to set one.
local function append(entry)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 16384, '*', unpack(entry))
  if redis.call('PTTL', KEYS[2]) < 2 * DAY then redis.call('PEXPIRE', KEYS[2], 3 * DAY) end
end

-- note appends the code to its stream, without what is empty. It writes several keys, so it is called after
-- everything that may fail.
local function note(now)
  redis.call('HINCRBY', KEYS[1], 'revision', 1)
  local values, entry = redis.call('HMGET', KEYS[1], unpack(NOTED)), {'noted_at', now}
  for i, field in ipairs(NOTED) do
    if values[i] and values[i] ~= '' then
      entry[#entry + 1] = field
      entry[#entry + 1] = values[i]
    end
  end
  append(entry)
end
