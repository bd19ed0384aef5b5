-- Leases the next job to a worker, if the pool's limit allows it. Scopes take turns, each served oldest job first.
-- KEYS  1 the pool's prefix
-- ARGV  1 worker  2 lease (ms)  3 crashes that make a dead letter  4 how long an orphan's slot is held (ms)
--       5 how long a record is kept (ms)
-- Returns {'job', id, attempt, epoch, message, failed attempts, ms that it has waited, replays}, {'full'}, {'unlimited'} when
-- the pool's limit is not known, {'paused', ms},
-- {'empty', ms to the next delayed job or -1}, or {'again'} when the look was cut short.
promote()
reap(tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5])

local paused = redis.call('PTTL', P .. 'paused')
if paused > 0 then
  return {'paused', paused}
end
local again, every = unpack(redis.call('HMGET', P .. 'stopped', 'due', 'every'))
if again and tonumber(again) > now then
  return {'paused', again - now}
end
-- A store that has lost the limits has lost the leases as well, and their runners are up.
if redis.call('HEXISTS', P .. 'limits', 'pool') == 0 then
  return {'unlimited'}
end
-- The leases are the semaphore: it cannot be exceeded by a race, and it cannot leak.
local limit = pool_limit()
if limit and redis.call('ZCARD', P .. 'lease') >= limit then
  return {'full'}
end

for _ = 1, 64 do
  local scope = redis.call('ZRANGE', P .. 'ring', 0, 0)[1]
  if not scope then
    local due = redis.call('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')[2]
    return {'empty', due and math.max(0, due - now) or -1}
  end
  if not has_room(scope) then
    -- It stays out of the ring until one of its slots is freed, or its limit is changed.
    redis.call('ZREM', P .. 'ring', scope)
    redis.call('SADD', P .. 'parked', scope)
  else
    local id = redis.call('RPOP', P .. 'pending:' .. scope)
    local waits = id and redis.call('ZREM', P .. 'queued', id) == 1
    if waits and redis.call('HEXISTS', job_key(id), 'scope') == 0 then
      waits = false -- nothing is known of it any more
      count('repaired:queued_without_job')
    end
    if waits or not id then
      -- Behind the others, if it has more. One whose next job was withdrawn keeps its turn.
      redis.call('ZREM', P .. 'ring', scope)
      ring(scope)
    end
    if waits then
      local job = job_key(id)
      local epoch = redis.call('HINCRBY', job, 'epochs', 1)
      redis.call('HSET', job, 'state', 'starting', 'worker', ARGV[1], 'epoch', epoch, 'attempt', epoch)
      redis.call('HDEL', job, 'exited', 'busy') -- that was said of another runner
      redis.call('ZADD', P .. 'lease', now + ARGV[2], id)
      redis.call('SADD', P .. 'active:' .. scope, id)
      event(id, 'reserved', 'by worker ' .. ARGV[1])
      if again then
        redis.call('HSET', P .. 'stopped', 'due', now + every, 'trial', id)
      end
      -- Whoever asks next gets the next job, or hears when a delayed one is due.
      if redis.call('EXISTS', P .. 'ring') == 1 or redis.call('EXISTS', P .. 'delayed') == 1 then
        rouse()
      end
      local message, attempts, replays = unpack(redis.call('HMGET', job, 'msg', 'attempts', 'replays'))
      return {'job', id, epoch, epoch, message or '', tonumber(attempts or 0), now - waits_since(id), tonumber(replays or 0)}
    end
  end
end
wake()
return {'again'}
