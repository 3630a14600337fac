-- Reads a limit without spending.
--
-- KEYS[1] -> window
-- ARGV[1] -> now in milliseconds
-- ARGV[2] -> count
-- ARGV[3] -> period in milliseconds
--
-- Returns the units left.
local w = read(1, redis.call('GET', KEYS[1]), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
return math.max(w.count - w.units, 0)
