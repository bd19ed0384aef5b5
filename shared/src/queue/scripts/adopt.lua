-- Gives a running container's lease to the worker that found it: to its own after a restart, or to any once its
-- worker fell silent.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 the attempt that the runner was made for  3 worker  4 lease (ms)
-- Returns {1, attempt, epoch, message, failed attempts, ms that the job has waited,
-- replays}, or {0, the job's state} when it is not to be had.
local id, attempt = ARGV[1], ARGV[2]
local entry = entry_of(id, attempt)
local key = job_key(entry)
local state, worker, own = unpack(redis.call('HMGET', key, 'state', 'worker', 'attempt'))
if not is_leased(state) or own ~= attempt or (state ~= 'orphaned' and worker ~= ARGV[3]) then
  -- Of a runner that took another job and has no slot any more, its job's state says nothing.
  return {0, entry == id and state or 'unknown'}
end
local epoch = redis.call('HINCRBY', job_key(id), 'epochs', 1)
redis.call('HSET', key, 'state', 'running', 'worker', ARGV[3], 'epoch', epoch)
redis.call('ZADD', P .. 'lease', now + ARGV[4], entry)
event(id, 'adopted', 'by worker ' .. ARGV[3])
local message, attempts, replays = unpack(redis.call('HMGET', job_key(id), 'msg', 'attempts', 'replays'))
return {1, tonumber(attempt), epoch, message or '', tonumber(attempts or 0), now - waits_since(id), tonumber(replays or 0)}
