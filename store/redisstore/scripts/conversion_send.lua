-- Counts a code sent to a prefix, unless too few of the ones before were entered.
--
-- KEYS[1] -> window of the codes sent
-- KEYS[2] -> window of the codes entered
-- ARGV[1] -> now in milliseconds
-- ARGV[2] -> "1": count the code even where the guard would refuse
-- ARGV[3] -> codes sent from which on the guard judges
-- ARGV[4] -> period in milliseconds of both windows
-- ARGV[5] -> percentage that must have been entered
--
-- Returns {1 when the guard refuses or would refuse and else 0, milliseconds until it judges no more, 0, 0}.
-- Codes entered meanwhile open it earlier.
local now, count, period = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local texts = redis.call('MGET', KEYS[1], KEYS[2])
local sent = look(KEYS[1], texts[1], now, count, period)
local entered = look(KEYS[2], texts[2], now, count, period)
local refused, retry = 0, 0
if sent.units >= count and entered.units * 100 < sent.units * tonumber(ARGV[5]) then
  refused, retry = 1, wait(sent)
end
if refused == 0 or ARGV[2] == '1' then take(sent) end
return {refused, retry, 0, 0}
