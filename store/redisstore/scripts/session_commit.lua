-- Writes the data of a session that was not ended.
--
-- KEYS[1] -> session
-- ARGV[1] -> data, stamped with its end
-- ARGV[2] -> milliseconds to live
-- ARGV[3] -> value of an ended session
--
-- Returns 1, or 0 when the session was ended.
if redis.call('GET', KEYS[1]) == ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
