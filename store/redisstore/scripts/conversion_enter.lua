-- Counts a code that was entered.
--
-- KEYS    -> windows of the codes entered, of one place
-- ARGV[1] -> now in milliseconds
-- ARGV[2…] -> period in milliseconds of each window
--
-- Returns 1.
for i = 1, #KEYS do
  take(read(i, redis.call('GET', KEYS[i]), tonumber(ARGV[1]), 0, tonumber(ARGV[1 + i])), 1)
end
return 1
