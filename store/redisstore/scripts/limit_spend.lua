-- Spends one unit of each limit of one subject, or of none when one has nothing left.
--
-- KEYS[1…] -> windows, all of one subject
-- ARGV[1]  -> now in milliseconds
-- ARGV[2]  -> "1": take the units even where nothing is left
-- ARGV[3…] -> count and period in milliseconds of each window
--
-- Returns {position of the first window with nothing left or 0, milliseconds until it has a unit again,
-- position of the tightest window, units left of it}.
return {spend(KEYS, 1, ARGV, 3, tonumber(ARGV[1]), ARGV[2] == '1')}
