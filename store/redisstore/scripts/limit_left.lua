-- Reads limits of one place without spending.
--
-- KEYS[1…] -> windows, all of one place
-- ARGV[1]  -> now in milliseconds
-- ARGV[2…] -> count and period in milliseconds of each window
--
-- Returns the units left of each window.
local left = {}
for i, text in ipairs(redis.call('MGET', unpack(KEYS))) do
  local w = read(i, text, tonumber(ARGV[1]), tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1]))
  left[i] = math.max(w.count - w.units, 0)
end
return left
