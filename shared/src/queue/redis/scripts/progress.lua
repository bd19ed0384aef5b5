-- Adds to the record what a worker did, and moves the job on, if the worker still holds it.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 epoch  3 'running' once the container was started, or ''  4 the runner's name, or ''
--       5 once the runner has ended for good: what is to be said of it, or ''  6… events: ms ago, word, detail
-- Returns 1, or 0 when the lease was lost.
local epoch, state = unpack(redis.call('HMGET', job_key(ARGV[1]), 'epoch', 'state'))
if epoch ~= ARGV[2] or not is_leased(state) then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('HSET', job_key(ARGV[1]), 'state', ARGV[3])
end
if ARGV[4] ~= '' then
  redis.call('HSET', job_key(ARGV[1]), 'runner', ARGV[4])
end
if ARGV[5] ~= '' then
  redis.call('HSET', job_key(ARGV[1]), 'exited', ARGV[5])
end
events_from(6, ARGV[1])
return 1
