-- Counts a pool's jobs by state.
-- KEYS  1 the pool's prefix
-- Returns {limit, pending, delayed, starting, running, orphaned, dead, ms that the oldest pending job has waited, runners that wait for
-- whichever job comes}.
local counts, warm = {starting = 0, running = 0, orphaned = 0}, 0
for _, entry in ipairs(redis.call('ZRANGE', P .. 'lease', 0, -1)) do
  local state, busy = unpack(redis.call('HMGET', job_key(entry), 'state', 'busy'))
  if not busy and (is_warm(entry) or entry ~= job_of(entry)) then
    warm = warm + 1
  end
  if counts[state] then
    counts[state] = counts[state] + 1
  end
end
local oldest = redis.call('ZRANGE', P .. 'queued', 0, 0, 'WITHSCORES')[2]
return {
  pool_limit() or 0,
  redis.call('ZCARD', P .. 'queued'),
  redis.call('ZCARD', P .. 'delayed'),
  counts.starting, counts.running, counts.orphaned,
  redis.call('ZCARD', P .. 'dead'),
  oldest and math.max(0, now - oldest) or 0, -- the clock may have been set back
  warm,
}
