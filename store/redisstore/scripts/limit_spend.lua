-- Spends some units of each limit, or of none when one has not so many left.
--
-- KEYS[1…] -> windows; those of a guard's codes entered, of the codes sent in its history, and of the codes entered in its history come last
-- ARGV[1]  -> now in milliseconds
-- ARGV[2]  -> "1": take the units even when none is left
-- ARGV[3]  -> units to spend of each window
-- ARGV[4]  -> position of the window of a guard, or 0 for none
-- ARGV[5]  -> percentage of codes that must be entered, or 0 without a guard
-- ARGV[6…] -> of each window its count, its period in milliseconds, the slot of now, and its life in milliseconds; last slot and life of a
--             guard's history
--
-- Returns {position of the first window without the units or 0, milliseconds until it has them again, position of the
-- tightest window or 0 when there is only a guard, units left of it, 1 when the guard throttles, units of each window before}.
local refused, retry, tightest, left, throttles, before =
  spend(1, ARGV, 6, tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]))
return {refused, retry, tightest, left, throttles and 1 or 0, unpack(before)}
