-- Counts a code that was entered.
--
-- KEYS    -> windows of the codes entered, of one place
-- ARGV[1…] -> slot of now, and life in milliseconds, of each window
--
-- Returns 1.
for i = 1, #KEYS do
  local units, rest, isOpen = read(redis.call('GET', KEYS[i]), ARGV[2 * i - 1])
  take(i, units + 1, rest, isOpen, ARGV[2 * i])
end
return 1
