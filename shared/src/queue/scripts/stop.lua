-- Stops a pool whose runners cannot work: of its jobs only one is started now and then, to try it again.
-- KEYS  1 the pool's prefix
-- ARGV  1 how soon that is (ms)  2 why
-- Returns 1.
redis.call('HSET', P .. 'stopped', 'why', ARGV[2], 'every', ARGV[1], 'due', now + ARGV[1])
redis.call('HDEL', P .. 'stopped', 'trial')
return 1
