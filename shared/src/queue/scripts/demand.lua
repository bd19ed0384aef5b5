-- Says whether a scope has jobs that wait for a runner. Takes ids off the end of its list that wait no more.
-- KEYS  1 the pool's prefix
-- ARGV  1 scope
-- Returns 1 or 0.
local list = P .. 'pending:' .. ARGV[1]
for _ = 1, 100 do
  local id = redis.call('RPOP', list)
  if not id then
    break
  end
  if redis.call('ZSCORE', P .. 'queued', id) then
    redis.call('RPUSH', list, id)
    return 1
  end
end
for _, id in ipairs(redis.call('ZRANGE', P .. 'delayed', 0, 99)) do
  if redis.call('HGET', job_key(id), 'scope') == ARGV[1] then
    return 1
  end
end
return redis.call('EXISTS', list)
