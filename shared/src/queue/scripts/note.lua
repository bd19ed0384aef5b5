-- Adds to a job's record what GitHub said of it.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 delivery GUID  3 how long a GUID is remembered (ms)  4 detail
-- Returns 'unknown', 'delivery' for a GUID seen before, or 'recorded'.
if redis.call('EXISTS', job_key(ARGV[1])) == 0 then
  return 'unknown'
end
if not redis.call('SET', P .. 'dlv:' .. ARGV[2], ARGV[1], 'NX', 'PX', ARGV[3]) then
  return 'delivery'
end
event(ARGV[1], 'noted', ARGV[4])
return 'recorded'
