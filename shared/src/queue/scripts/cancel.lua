-- Cancels a job in whatever state it is.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 reason  3 how long to keep the record (ms)  4 delivery GUID, or ''  5 how long a GUID is
--       remembered (ms)  6 '1' to leave a tombstone for an unknown job: should its `queued` come late, it is not run
-- Returns {'unknown'}, {'delivery'}, {'tombstone'}, {'cancelled'}, {'flagged'}, or {'ended', state}.
local id = ARGV[1]
local state = redis.call('HGET', job_key(id), 'state')
if not state and ARGV[6] ~= '1' then
  return {'unknown'}
end
if ARGV[4] ~= '' and not redis.call('SET', P .. 'dlv:' .. ARGV[4], id, 'NX', 'PX', ARGV[5]) then
  return {'delivery'}
end
if is_leased(state) then
  redis.call('HSET', job_key(id), 'cancel', ARGV[2])
  event(id, 'cancelled', ARGV[2])
  return {'flagged'}
end
if state == 'done' or state == 'cancelled' then
  if state == 'done' then
    -- Should its runner turn out to have run another job, it is not opened again (crossover.lua).
    redis.call('HSET', job_key(id), 'cancel', ARGV[2])
  end
  return {'ended', state}
end
event(id, 'cancelled', ARGV[2])
if not state then
  redis.call('HSET', job_key(id), 'state', 'cancelled', 'end', now)
  expire(id, ARGV[3])
  count('tombstones')
  return {'tombstone'}
end
withdraw(id)
close(id, 'cancelled', ARGV[3])
return {'cancelled'}
