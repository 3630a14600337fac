-- Stores which secret keys are used here, unless other keys are.
--
-- KEYS[1]  -> fingerprints of the used keys, by their ids
-- ARGV[1]  -> milliseconds to live
-- ARGV[2]  -> "1": change nothing
-- ARGV[3…] -> id and fingerprint of each key
--
-- Returns {} when the keys are or may be used here. When another deployment uses other keys (none is the same, or two of the
-- same id differ), it returns their ids.
local known, ids, same = {}, {}, false
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  known[fields[i]] = fields[i + 1]
  ids[#ids + 1] = fields[i]
end
for i = 3, #ARGV, 2 do
  if known[ARGV[i]] and known[ARGV[i]] ~= ARGV[i + 1] then return ids end
  if known[ARGV[i]] then same = true end
end
if #ids > 0 and not same then return ids end
if ARGV[2] == '1' then return {} end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {}
