-- Extends a worker's leases, and adds to their records what has happened to their jobs.
-- KEYS  1 the pool's prefix
-- ARGV  1 lease (ms)  2 crashes that make a dead letter  3 how long an orphan's slot is held (ms)  4 how long a record
--       is kept (ms)  5… job id, attempt, epoch, number of events, and for each of these ms ago, word, detail: for each lease
-- Returns {numbers of the lost leases, numbers of those that were cancelled, 1 if the pool's limit is known or 0}; numbers: which
-- of the leases, from 0.
local lost, cancelled = {}, {}
local i, number = 5, 0
while i <= #ARGV do
  local id, next_one = ARGV[i], i + 4 + 3 * ARGV[i + 3]
  local entry = entry_of(id, ARGV[i + 1])
  local epoch, state, cancel = unpack(redis.call('HMGET', job_key(entry), 'epoch', 'state', 'cancel'))
  if epoch == ARGV[i + 2] and is_leased(state) then
    redis.call('ZADD', P .. 'lease', 'XX', now + ARGV[1], entry)
    if state == 'orphaned' then
      redis.call('HSET', job_key(entry), 'state', 'running')
    end
    events_from(i + 4, next_one - 1, id, job_key(entry))
    if cancel then
      cancelled[#cancelled + 1] = number
    end
  else
    lost[#lost + 1] = number
  end
  i, number = next_one, number + 1
end
promote()
reap(tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4])
return {lost, cancelled, redis.call('HEXISTS', P .. 'limits', 'pool')}
