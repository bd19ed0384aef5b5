-- Has a stopped pool tried again now.
-- KEYS  1 the pool's prefix
-- Returns 1, or 0 when the pool is not stopped.
if redis.call('EXISTS', P .. 'stopped') == 0 then
  return 0
end
redis.call('HSET', P .. 'stopped', 'due', now)
wake()
return 1
