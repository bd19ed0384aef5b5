-- Asks what becomes of a runner without a job in a scope for which warm ones are kept. One that is to go is not counted from then on.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 attempt  3 epoch  4 how many are wanted in its scope  5 '1' if its own job does not wait for it any more
--       6 '1' if another is to be made in its place  7 'room' if its worker has no room for another, 'yield' if another pool's
--       job waits for that, or ''  8 how long a record is kept (ms)
-- Returns 'own' when its own job may wait for it, 'stay' or 'go'.
local id, wanted, keep_ms = ARGV[1], tonumber(ARGV[4]), ARGV[8]
local entry = entry_of(id, ARGV[2])
local epoch, state, scope, busy = unpack(redis.call('HMGET', job_key(entry), 'epoch', 'state', 'scope', 'busy'))
if epoch ~= ARGV[3] or not is_leased(state) or busy then
  return 'stay' -- its worker will hear of that
end
if entry == id and not is_warm(id) then
  if ARGV[5] ~= '1' then
    return 'own'
  end
  -- GitHub's word of it was lost. Should the job come again, it gets another runner.
  entry = set_free(id, ARGV[2], state, scope, 'GitHub wants no runner for it any more; its own waits for other jobs', keep_ms)
  redis.call('HSET', job_key(id), 'idle', 1)
end

local leaving, leaving_here = 0, 0
for _, other in ipairs(redis.call('ZRANGE', P .. 'lease', 0, -1)) do
  local goes, took, from = unpack(redis.call('HMGET', job_key(other), 'leaving', 'busy', 'scope'))
  if goes and not took and other ~= entry then
    leaving = leaving + 1
    leaving_here = leaving_here + (from == scope and 1 or 0)
  end
end
local all, free = idle_runners(scope, entry)
local limit = pool_limit()
local is_full = ARGV[7] ~= '' or (limit and redis.call('ZCARD', P .. 'lease') >= limit)
local goes = free >= wanted
  or ARGV[7] == 'yield'
  or (is_full and not is_held_up() and more_wait(leaving, scope))
  or (ARGV[6] == '1' and leaving_here == 0 and all + 1 >= wanted)
if not goes then
  redis.call('HDEL', job_key(entry), 'leaving')
  return 'stay'
end
redis.call('HSET', job_key(entry), 'leaving', 1)
return 'go'
