-- Leases a warm runner to a worker, if one is wanted: fewer runners than that are idle, no job waits that its slot would do for, and
-- the limits allow it. A pool that is stopped is tried again by jobs.
-- KEYS  1 the pool's prefix
-- ARGV  1 the id of its entry  2 worker  3 lease (ms)  4… scope, how many are wanted in it, message, for each scope
-- Returns {attempt, epoch, message, failed attempts, ms that it has waited, replays}, or nothing.
local id = ARGV[1]
local limit = pool_limit()
if not limit or redis.call('ZCARD', P .. 'lease') >= limit or is_held_up() or more_wait(0)
  or redis.call('EXISTS', P .. 'stopped') == 1 then
  return {}
end
if redis.call('EXISTS', job_key(id)) == 1 then
  return {} -- that id is taken; the next will not be
end
for i = 4, #ARGV, 3 do
  local scope, wanted, message = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local failures, until_ms = failed_warm(scope)
  if idle_runners(scope) < wanted and has_room(scope) and until_ms <= now then
    redis.call('HSET', job_key(id), 'state', 'starting', 'msg', message, 'scope', scope, 'enq', now, 'attempts', failures,
      'crashes', 0, 'replays', 0, 'worker', ARGV[2], 'attempt', 1, 'epoch', 1, 'epochs', 1)
    redis.call('ZADD', P .. 'lease', now + ARGV[3], id)
    redis.call('SADD', P .. 'active:' .. scope, id)
    event(id, 'reserved', 'by worker ' .. ARGV[2] .. ', as a warm runner')
    count('warmed')
    return {1, 1, message, failures, 0, 0}
  end
end
return {}
