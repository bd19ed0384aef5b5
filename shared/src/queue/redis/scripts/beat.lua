-- Extends a worker's leases.
-- KEYS  1 the pool's prefix
-- ARGV  1 lease (ms)  2 crashes that make a dead letter  3 how long an orphan's slot is held (ms)  4 how long a record
--       is kept (ms)  5… job id, epoch, for each lease
-- Returns {lost ids, cancelled ids}.
local lost, cancelled = {}, {}
for i = 5, #ARGV, 2 do
  local id = ARGV[i]
  local epoch, state, cancel = unpack(redis.call('HMGET', job_key(id), 'epoch', 'state', 'cancel'))
  if epoch == ARGV[i + 1] and is_leased(state) then
    redis.call('ZADD', P .. 'lease', 'XX', now + ARGV[1], id)
    if state == 'orphaned' then
      redis.call('HSET', job_key(id), 'state', 'running')
    end
    if cancel then
      cancelled[#cancelled + 1] = id
    end
  else
    lost[#lost + 1] = id
  end
end
promote()
reap(tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4])
return {lost, cancelled}
