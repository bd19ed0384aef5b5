-- Adds to the record what a worker did, and moves the job on, if the worker still holds it.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 attempt  3 epoch  4 'running' before the container is started, 'starting' once
--       it is not up any more, or ''  5 the runner's name, or ''
--       6 the attempt that this runner was made for, if it is another's that was found, or ''
--       7 once the runner has ended for good: what is to be said of it, or ''  8 'failed' or 'last': which of a record's
--       post-mortems is to be written, or ''  9 that  10… events: ms ago, word, detail
-- Returns 'held', 'cancelled' when its job was cancelled, or 'lost', also when that other runner has another job.
local id = ARGV[1]
local key = job_key(entry_of(id, ARGV[2]))
local epoch, state, cancel = unpack(redis.call('HMGET', key, 'epoch', 'state', 'cancel'))
if epoch ~= ARGV[3] or not is_leased(state) then
  return 'lost'
end
if ARGV[6] ~= '' and entry_of(id, ARGV[6]) ~= id then
  return 'lost' -- the runner that was found has taken another job meanwhile
end
for field, value in pairs({state = ARGV[4], runner = ARGV[5], attempt = ARGV[6], exited = ARGV[7]}) do
  if value ~= '' then
    redis.call('HSET', key, field, value)
  end
end
-- It is the job's, also of a runner that took another.
if ARGV[8] ~= '' and redis.call('EXISTS', job_key(id)) == 1 then
  redis.call('HSET', job_key(id), 'post_mortem:' .. ARGV[8], ARGV[9])
end
events_from(10, #ARGV, id, key)
return cancel and 'cancelled' or 'held'
