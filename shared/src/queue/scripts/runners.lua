-- Tells which of a worker's runners are up, as far as is known here: not those of which it was told that they have ended.
-- KEYS  1 the pool's prefix
-- ARGV  1 worker
-- Returns job id and attempt of each.
local runners = {}
for _, entry in ipairs(redis.call('ZRANGE', P .. 'lease', 0, -1)) do
  local state, worker, attempt, exited =
    unpack(redis.call('HMGET', job_key(entry), 'state', 'worker', 'attempt', 'exited'))
  if worker == ARGV[1] and (state == 'running' or state == 'orphaned') and not exited then
    runners[#runners + 1] = job_of(entry)
    runners[#runners + 1] = attempt
  end
end
return runners
