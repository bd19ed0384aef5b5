-- Stores a job once, however often it is delivered. The first write is refused when memory is full, so then
-- nothing is changed.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 delivery GUID  3 scope  4 message  5 how long a GUID is remembered (ms)
-- Returns {'stored'}, {'delivery'} for a GUID seen before, or {'job', state} for a job that is known.
if not redis.call('SET', P .. 'dlv:' .. ARGV[2], ARGV[1], 'NX', 'PX', ARGV[5]) then
  return {'delivery'}
end
local key = job_key(ARGV[1])
if redis.call('EXISTS', key) == 1 then
  local state, idle, cancel, served, scope =
    unpack(redis.call('HMGET', key, 'state', 'idle', 'cancel', 'served_by', 'scope'))
  if state == 'done' and idle and not cancel and not served then
    -- It waited at GitHub for something else, such as an approval, for longer than its runner waited for it.
    revive(ARGV[1])
    redis.call('HDEL', key, 'ran')
    redis.call('HSET', key, 'since', now)
    event(ARGV[1], 'reopened', 'delivered again, by ' .. ARGV[2] .. '; its runner had found no job')
    push(ARGV[1], scope, false)
    return {'stored'}
  end
  if state then
    event(ARGV[1], 'noted', 'delivered again, by ' .. ARGV[2])
    return {'job', state}
  end
end
redis.call('HSET', key, 'state', 'pending', 'msg', ARGV[4], 'scope', ARGV[3], 'guid', ARGV[2], 'enq', now,
  'attempts', 0, 'crashes', 0, 'epoch', 0, 'replays', 0)
write_down(ARGV[1], 'delivered', 'by ' .. ARGV[2])
line_up(ARGV[1], ARGV[3], now, false)
count('accepted')
return {'stored'}
