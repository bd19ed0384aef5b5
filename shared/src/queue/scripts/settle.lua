-- Ends a lease, if the caller holds it. May be repeated after a lost answer.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 attempt  3 epoch  4 'done', 'idle', 'retry', 'dead', 'cancelled', 'release' or 'limited'  5 detail or error
--       6 delay (ms)  7 failed attempts that make a dead letter  8 how long a record is kept (ms)
--       9… events: ms ago, word, detail
-- Returns {1, the job's state now}, or {0, its state} when the lease was lost.
local id, outcome, detail, delay, keep_ms = ARGV[1], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[8]
local entry = entry_of(id, ARGV[2])
local key = job_key(entry)
local epoch, state, scope, cancel, left = unpack(redis.call('HMGET', key, 'epoch', 'state', 'scope', 'cancel', 'left'))
local settled = redis.call('HGET', job_key(id), 'settled:' .. ARGV[3])
if settled then
  return {1, settled} -- it was this lease that was settled, and its answer was lost
end
if epoch ~= ARGV[3] or not is_leased(state) then
  return {0, state or 'gone'}
end
events_from(9, #ARGV, id, key)

-- Has the job wait for its time. Whoever asks next hears when that is.
local function put_off()
  redis.call('HSET', key, 'state', 'delayed')
  redis.call('ZADD', P .. 'delayed', now + delay, id)
  rouse()
end

if entry ~= id then
  -- The runner took another job, and its own waits again or has gone its way: there is nothing more to decide.
  end_lent(entry, scope, keep_ms)
  event(id, 'noted', 'the runner of attempt ' .. ARGV[2] .. ' has ended: ' .. detail)
  state = 'done'
elseif is_warm(id) then
  unlease(id, scope)
  if outcome == 'done' then
    redis.call('DEL', P .. 'warm:' .. scope)
  elseif outcome == 'retry' or outcome == 'dead' or delay > 0 then
    hold_off(scope, delay)
  end
  close_warm(id, detail, keep_ms)
  state = 'done'
else
  unlease(id, scope)
  if outcome == 'done' then
    event(id, 'done', detail)
    close(id, 'done', keep_ms)
  elseif left then
    pass_on(id, state, left, keep_ms)
  elseif cancel or outcome == 'cancelled' then
    if outcome == 'cancelled' then
      event(id, 'cancelled', detail)
    end
    close(id, 'cancelled', keep_ms)
  elseif outcome == 'idle' then
    event(id, 'done', detail)
    redis.call('HSET', key, 'idle', 1)
    close(id, 'done', keep_ms)
  elseif outcome == 'dead' then
    redis.call('HINCRBY', key, 'attempts', 1)
    bury(id, detail)
  elseif outcome == 'retry' then
    local attempts = redis.call('HINCRBY', key, 'attempts', 1)
    if attempts >= tonumber(ARGV[7]) then
      bury(id, detail .. ' (attempt ' .. attempts .. ' of ' .. ARGV[7] .. ')')
    else
      redis.call('HSET', key, 'err', detail)
      redis.call('HSETNX', key, 'first_err', detail)
      put_off()
      event(id, 'retrying', string.format('attempt %d of %s failed, next in %.1f s: %s', attempts, ARGV[7], delay / 1000, detail))
    end
  else
    event(id, outcome == 'limited' and 'rate_limited' or 'waiting', delay > 0 and string.format('until %s: %s', moment(now + delay), detail) or detail)
    if delay > 0 then
      put_off()
    else
      push(id, scope, true)
    end
  end
  state = redis.call('HGET', key, 'state')
end
-- Only the last lease's end is remembered: who asks again for an older one has been given up for lost before.
local before = redis.call('HGET', job_key(id), 'settled')
if before then
  redis.call('HDEL', job_key(id), 'settled:' .. before)
end
redis.call('HSET', job_key(id), 'settled', ARGV[3], 'settled:' .. ARGV[3], state)
return {1, state}
