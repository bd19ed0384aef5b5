-- Lets no job of a pool start for a while. A pause that lasts longer already is left as it is.
-- KEYS  1 the pool's prefix
-- ARGV  1 for how long (ms)  2 why
-- Returns 1 when it is this pause that counts, or 0.
if redis.call('PTTL', P .. 'paused') >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', P .. 'paused', ARGV[2], 'PX', ARGV[1])
return 1
