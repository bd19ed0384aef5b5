-- Takes in that GitHub gave a job to a runner: who still waits for one of their own need not.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 the runner's name  3 the attempt of this job that the runner was made for; 'other' if it is ours and was
--       made for another job; 'foreign' if it is none of ours  4 '1' once the job is completed  5 detail
--       6 how long a record is kept (ms)  7 '1' to leave a tombstone for an unknown job
-- Returns 'unknown', 'closed', 'before' when it was closed for this runner before, 'leased' when a worker holds
-- it and will see to it, or 'ended'.
local id, runner, made_for, keep_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[6]
local ends_as = made_for == 'foreign' and 'cancelled' or 'done'
local key = job_key(id)
local state, attempt, served, obsolete = unpack(redis.call('HMGET', key, 'state', 'attempt', 'served_by', 'obsolete'))
if served then
  return served == runner and 'before' or 'ended'
end
if not state then
  -- Its `queued` is late, or lost. Its own runner, which has outlived its record, is no reason to remember it.
  if ARGV[7] ~= '1' or (made_for ~= 'other' and made_for ~= 'foreign') then
    return 'unknown'
  end
  redis.call('HSET', key, 'state', ends_as, 'served_by', runner, 'end', now)
  event(id, ends_as, ARGV[5])
  expire(id, keep_ms)
  count('tombstones')
  return 'closed'
end
if is_leased(state) then
  if made_for == attempt then
    if state == 'orphaned' and ARGV[4] == '1' then
      unlease(id, redis.call('HGET', key, 'scope'))
      redis.call('HSET', key, 'served_by', runner)
      event(id, 'done', ARGV[5])
      close(id, 'done', keep_ms)
      return 'closed'
    end
  elseif made_for ~= 'other' then
    -- Another runner has it, so the one that is being prepared for it has nothing to do. (A runner of ours that was made for
    -- another job is no loss: that job gets this one's.)
    redis.call('HSET', key, 'cancel', ARGV[5])
  end
  return 'leased'
end
if state == 'done' or (state == 'cancelled' and not obsolete) then
  return 'ended'
end
redis.call('HSET', key, 'served_by', runner)
if state == 'cancelled' then
  return 'closed'
end
withdraw(id)
event(id, ends_as, ARGV[5])
close(id, ends_as, keep_ms)
return 'closed'
