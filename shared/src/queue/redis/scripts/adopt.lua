-- Gives a running container's lease to the worker that found it: to its own after a restart, or to any once its
-- worker fell silent.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 worker  3 lease (ms)
-- Returns {1, epoch, message, attempts, ms in the queue}, or {0, state} when it is not to be had.
local id = ARGV[1]
local job = job_key(id)
local state, worker, message, attempts, enqueued = unpack(redis.call('HMGET', job, 'state', 'worker', 'msg', 'attempts', 'enq'))
if not is_leased(state) or (state ~= 'orphaned' and worker ~= ARGV[2]) then
  return {0, state or 'unknown'}
end
local epoch = redis.call('HINCRBY', job, 'epoch', 1)
redis.call('HSET', job, 'state', 'running', 'worker', ARGV[2])
redis.call('ZADD', P .. 'lease', now + ARGV[3], id)
event(id, 'adopted', 'by worker ' .. ARGV[2])
return {1, epoch, message or '', tonumber(attempts or 0), now - (enqueued or now)}
