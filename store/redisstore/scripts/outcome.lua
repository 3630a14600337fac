-- Functions that note the outcome of a code. They stand in front of the scripts that change a code: KEYS[1] is the code and
-- KEYS[2] the stream of outcomes.
--
-- The stream is in the code's slot, so that each script that changes a code appends an entry in the same step. An entry is
-- a copy of the code without its MAC, and with a revision that tells which of two entries is later. Entries wait to be copied
-- to the database; sending does not wait for that. Their number is bounded, because Redis must not fill up while the
-- database is unavailable: 64 streams of about 16384 entries are a million, some 250 MB. Entries that are trimmed then, or
-- lost with Redis, are missing from the history only.
local NOTED = {'id', 'purpose', 'to', 'request_id', 'state', 'reason', 'attempt', 'lease_until', 'doubts',
  'provider', 'provider_id', 'provider_code', 'issued_at', 'expires_at', 'accepted_at', 'delivered_at', 'used_at',
  'revision', 'channel'}

local DAY = 24 * 60 * 60 * 1000

-- append adds an entry to the stream, which then lives for at least two days. Reading a time to live takes a third of the time
-- that setting one takes.
local function append(entry)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 16384, '*', unpack(entry))
  if redis.call('PTTL', KEYS[2]) < 2 * DAY then redis.call('PEXPIRE', KEYS[2], 3 * DAY) end
end

-- note appends the code to its stream, without empty fields. It writes several keys, so it must be called after everything
-- that may fail.
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
