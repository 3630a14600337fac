-- Counts a guess on a code, before the guess is compared.
--
-- KEYS[1] -> code
-- ARGV[1] -> purpose
-- ARGV[2] -> now in milliseconds
--
-- Returns {"expired"} when the code cannot be entered for the purpose, {"attempts"} when it has no guess left, or
-- {"ok", key id, MAC, guesses left, 1 for a guess after the first at a code that was not entered correctly yet, else 0},
-- or {"used", key id, MAC, 0, 0} for a used code. Guesses at a used code are counted separately, with the same maximum.
local code = redis.call('HMGET', KEYS[1], 'purpose', 'expires_at', 'used', 'attempts', 'max_attempts', 'key_id', 'mac', 'superseded',
  'confirmed')
if code[1] ~= ARGV[1] or tonumber(code[2]) <= tonumber(ARGV[2]) then return {'expired'} end
if code[8] then return {'expired'} end
if code[3] ~= '' then
  if redis.call('HINCRBY', KEYS[1], 'late', 1) > tonumber(code[5]) then return {'expired'} end
  return {'used', code[6], code[7], 0, 0}
end
local left = tonumber(code[5]) - tonumber(code[4])
if left < 1 then return {'attempts'} end
local again = redis.call('HINCRBY', KEYS[1], 'attempts', 1) > 1 and not code[9]
return {'ok', code[6], code[7], left - 1, again and 1 or 0}
