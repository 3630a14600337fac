-- Gives back units of each limit.
--
-- KEYS[1…] -> windows
-- ARGV[1]  -> when the units were spent, in milliseconds
-- ARGV[2]  -> units that were spent of each window
-- ARGV[3…] -> period in milliseconds of each window
--
-- Returns 1.
for i = 1, #KEYS do refund(i, tonumber(ARGV[1]), tonumber(ARGV[2 + i]), tonumber(ARGV[2])) end
return 1
