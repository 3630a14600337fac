-- Gives back one unit of each limit of one place.
--
-- KEYS[1…] -> windows, all of one place
-- ARGV[1]  -> when the units were spent, in milliseconds
-- ARGV[2…] -> period in milliseconds of each window
--
-- Returns 1.
for i = 1, #KEYS do refund(i, tonumber(ARGV[1]), tonumber(ARGV[1 + i])) end
return 1
