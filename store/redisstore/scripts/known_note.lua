-- Notes that an account was used from a network. It may run twice.
--
-- KEYS[1] -> networks of one login name by the times until which they are known
-- ARGV[1] -> hash of the network
-- ARGV[2] -> until when it is known, milliseconds
-- ARGV[3] -> now
-- ARGV[4] -> most networks of a login name: of more, those that end first are forgotten
--
-- Returns 1.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[2]) - tonumber(ARGV[3]), 1))
return 1
