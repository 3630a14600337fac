-- Writes to keys that are declared, as all our scripts do.
--
-- KEYS[1] -> hash
-- KEYS[2] -> stream
-- ARGV[1] -> milliseconds to live
--
-- Returns 1.
redis.call('HSET', KEYS[1], 'revision', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 16, '*', unpack({'noted_at', 1}))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
