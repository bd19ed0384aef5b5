-- Ends a lease, if the caller holds it. May be repeated after a lost answer.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 epoch  3 'done', 'retry', 'dead' or 'release'  4 detail or error  5 delay (ms)
--       6 attempts that make a dead letter  7 how long a record is kept (ms)  8… events: ms ago, word, detail
-- Returns {1, the job's state now}, or {0, its state} when the lease was lost.
local id, outcome, detail, delay = ARGV[1], ARGV[3], ARGV[4], tonumber(ARGV[5])
local job = job_key(id)
local epoch, state, scope, cancel, settled = unpack(redis.call('HMGET', job, 'epoch', 'state', 'scope', 'cancel', 'settled'))
if settled == ARGV[2] then
  return {1, state} -- it was this lease that was settled, and its answer was lost
end
if epoch ~= ARGV[2] or not is_leased(state) then
  return {0, state or 'gone'}
end
unlease(id, scope)
redis.call('HSET', job, 'settled', epoch)
redis.call('HINCRBY', job, 'epoch', 1)
redis.call('HDEL', job, 'exited')
events_from(8, id)

if outcome == 'done' then
  event(id, 'done', detail)
  close(id, 'done', ARGV[7])
elseif cancel then
  close(id, 'cancelled', ARGV[7])
elseif outcome == 'dead' then
  redis.call('HINCRBY', job, 'attempts', 1)
  bury(id, detail)
elseif outcome == 'retry' then
  local attempts = redis.call('HINCRBY', job, 'attempts', 1)
  if attempts >= tonumber(ARGV[6]) then
    bury(id, detail .. ' (attempt ' .. attempts .. ' of ' .. ARGV[6] .. ')')
  else
    redis.call('HSET', job, 'state', 'delayed', 'err', detail)
    redis.call('ZADD', P .. 'delayed', now + delay, id)
    event(id, 'retrying', string.format('attempt %d of %s failed, next in %.1f s: %s', attempts, ARGV[6], delay / 1000, detail))
  end
else
  event(id, 'waiting', string.format('for %.1f s: %s', delay / 1000, detail))
  if delay > 0 then
    redis.call('HSET', job, 'state', 'delayed')
    redis.call('ZADD', P .. 'delayed', now + delay, id)
  else
    push(id, scope, true)
  end
end
return {1, redis.call('HGET', job, 'state')}
