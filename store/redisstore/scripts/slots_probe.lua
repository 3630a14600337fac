-- Counts the keys that have a value, of several cluster slots.
--
-- KEYS[1…] -> keys
-- ARGV[1]  -> value
--
-- Returns the number of keys.
local seen = 0
for _, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  if value == ARGV[1] then seen = seen + 1 end
end
return seen
