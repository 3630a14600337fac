-- Counts a code that was entered.
--
-- KEYS[1] -> window of the codes entered
-- ARGV[1] -> now in milliseconds
-- ARGV[2] -> period in milliseconds
--
-- Returns 1.
take(look(KEYS[1], redis.call('GET', KEYS[1]), tonumber(ARGV[1]), 0, tonumber(ARGV[2])))
return 1
