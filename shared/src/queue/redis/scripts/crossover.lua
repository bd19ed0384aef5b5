-- Opens a job again whose runner took another job. The runner keeps its slot under an entry of its own.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 the attempt that the runner was made for  3 the job that it took  4 '1' once that job is completed
--       5 how long a record is kept (ms)
-- Returns 'unknown', 'opened', 'before' when it was opened for this runner before, or 'kept' when it has a runner
-- or waits for one.
local id, attempt = ARGV[1], ARGV[2]
local key = job_key(id)
local state, scope, own, served, cancel =
  unpack(redis.call('HMGET', key, 'state', 'scope', 'attempt', 'served_by', 'cancel'))
if not state or not scope then
  return 'unknown'
end
local entry = id .. '~' .. attempt
if redis.call('HSETNX', key, 'lent:' .. attempt, ARGV[3]) == 0 then
  -- Its worker is not there to see the runner's end.
  if ARGV[4] == '1' and redis.call('HGET', job_key(entry), 'state') == 'orphaned' then
    end_lent(entry, scope, ARGV[5])
  end
  return 'before'
end
local says = 'its runner of attempt ' .. attempt .. ' took job ' .. ARGV[3]
if is_leased(state) and own == attempt then
  local kept = redis.call('HMGET', key, 'worker', 'epoch', 'runner')
  redis.call('HSET', job_key(entry), 'state', state == 'orphaned' and state or 'running', 'scope', scope,
    'attempt', attempt, 'worker', kept[1] or '', 'epoch', kept[2], 'runner', kept[3] or '')
  redis.call('ZADD', P .. 'lease', redis.call('ZSCORE', P .. 'lease', id) or now, entry)
  redis.call('SADD', P .. 'active:' .. scope, entry)
  redis.call('HINCRBY', key, 'lent', 1)
  unlease(id, scope)
  if state == 'orphaned' and ARGV[4] == '1' then
    end_lent(entry, scope, ARGV[5])
  end
  if cancel then
    event(id, 'noted', says)
    close(id, 'cancelled', ARGV[5])
    return 'kept'
  end
elseif (state == 'done' or state == 'dead') and own == attempt and not served and not cancel then
  if state == 'done' then
    redis.call('PERSIST', key)
    redis.call('PERSIST', P .. 'events:' .. id)
    redis.call('ZREM', P .. 'ended', id)
    count('done', -1)
  end
  withdraw(id)
else
  event(id, 'noted', says)
  return 'kept'
end
redis.call('HDEL', key, 'end')
event(id, 'reopened', says .. '; it waits for another')
push(id, scope, true)
return 'opened'
