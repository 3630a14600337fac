-- Reads limits without spending.
--
-- KEYS[1…] -> windows
-- ARGV[1…] -> count and slot of now of each window
--
-- Returns the units left of each window.
local left = {}
for i, text in ipairs(redis.call('MGET', unpack(KEYS))) do
  local units = read(text, ARGV[2 * i])
  left[i] = math.max(tonumber(ARGV[2 * i - 1]) - units, 0)
end
return left
