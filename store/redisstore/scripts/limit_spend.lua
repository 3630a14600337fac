-- Spends some units of each limit of one place, or of none when one has not so many left.
--
-- KEYS[1…] -> windows, all of one place; a guard's window comes last and is followed by those of the codes entered, of the
--             codes sent in its history, and of the codes entered in its history
-- ARGV[1]  -> now in milliseconds
-- ARGV[2]  -> "1": take the units even when none is left
-- ARGV[3]  -> percentage of codes that must be entered, or 0 when the last window is no guard
-- ARGV[4]  -> units to spend of each window
-- ARGV[5…] -> count and period in milliseconds of each window; after a guard's, the period of its history
--
-- Returns {position of the first window without the units or 0, milliseconds until it has them again, position of the
-- tightest window or 0 when there is only a guard, units left of it, 1 when the guard throttles, units of each window before}.
local refused, retry, tightest, left, throttles, before =
  spend(1, ARGV, 5, tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]))
return {refused, retry, tightest, left, throttles and 1 or 0, unpack(before)}
