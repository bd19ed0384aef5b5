-- Takes in that GitHub gave a job to a runner: who still waits for one of their own need not.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 the runner's name  3 the attempt of this job that the runner was made for; 'job~attempt' if it is ours
--       and was made for another job; 'foreign' if it is none of ours  4 '1' once the job is completed  5 detail
--       6 how long a record is kept (ms)  7 '1' to leave a tombstone for an unknown job  8 delivery GUID  9 how long a GUID is
--       remembered (ms)
-- Returns {verdict, what became of the delivery}. The verdict is 'unknown', 'closed' when it needs no runner and the one that took it is
-- another's loss, 'before' when that was said of this runner before, 'leased' when a worker holds it and will see to it, or 'ended'.
-- The delivery is 'recorded', 'delivery' for a GUID seen before, or 'open' while the other job has yet to be opened again.
local id, runner, made_for, completed, detail, keep_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5], ARGV[6]
local other, others_attempt = string.match(made_for, '^(w?%d+)~(%d+)$')
local ends_as = made_for == 'foreign' and 'cancelled' or 'done'
local says = 'no runner of its own is needed: it is on ' .. runner -- what GitHub says of it is noted besides
local key = job_key(id)

-- Whether a job's own runner of that attempt took another, whose runner is on its way, or is left to it in turn: that one will do.
local function has_heir(of, of_attempt)
  for _ = 1, 16 do -- there may be circles
    local heirs, heir = string.match(redis.call('HGET', job_key(of), 'heir') or '', '^(%d+) (%d+)$')
    if heirs ~= of_attempt then
      return false
    end
    local to, heirs_state, heirs_attempt = unpack(redis.call('HMGET', job_key(heir), 'left', 'state', 'attempt'))
    if string.match(to or '', '^w?%d+~%d+') ~= of .. '~' .. of_attempt then
      return false
    end
    if is_leased(heirs_state) then
      return true
    end
    of, of_attempt = heir, heirs_attempt
  end
  return false
end

-- Whether there is a runner to come that the job needs no more, now that it is on another's, and that would do for the other.
local function leaves_a_runner(state, attempt, scope, left)
  local others_scope, others_served = unpack(redis.call('HMGET', job_key(other), 'scope', 'served_by'))
  if others_scope ~= scope then
    return false
  end
  if is_leased(state) then
    return not others_served
  end
  return left == made_for .. ' ' .. runner or state == 'done' and not left and not is_free(other, others_attempt) and has_heir(id, attempt)
end

-- Sees to the job, and says how it stands.
local function see_to()
  local state, attempt, scope, served, left, cancel =
    unpack(redis.call('HMGET', key, 'state', 'attempt', 'scope', 'served_by', 'left', 'cancel'))
  if served then
    return served == runner and 'before' or 'ended'
  end
  if not state then
    -- Its `queued` is late, or lost. Its own runner, which has outlived its record, is no reason to remember it.
    if ARGV[7] ~= '1' or not (other or made_for == 'foreign') then
      return 'unknown'
    end
    redis.call('HSET', key, 'state', ends_as, 'served_by', runner, 'end', now)
    event(id, ends_as, says)
    expire(id, keep_ms)
    count('tombstones')
    return 'closed'
  end
  if is_leased(state) and made_for == attempt then
    if completed then
      ended(id, detail, keep_ms)
    end
    return 'leased'
  end
  if is_leased(state) and other and is_free(other, others_attempt) and not (cancel or left)
    and redis.call('HGET', job_key(other), 'scope') == scope then
    -- The runner that is made for this job is warm in the place of the other.
    redis.call('HSET', key, 'served_by', runner)
    count_wait(id, now)
    set_free(id, attempt, state, scope, says .. '; its own waits for other jobs', keep_ms)
    return 'closed'
  end
  if other and leaves_a_runner(state, attempt, scope, left) then
    -- The runner that is made for this job, or that which is left to it, will do for the other, as long as it comes to something.
    redis.call('HSET', key, 'left', made_for .. ' ' .. runner)
    count_wait(id, now)
    redis.call('HSET', job_key(other), 'heir', others_attempt .. ' ' .. id)
    if completed and redis.call('HGET', job_key(other), 'attempt') == others_attempt then
      ended(entry_of(other, others_attempt), detail, keep_ms)
    end
    return is_leased(state) and 'leased' or 'ended'
  end
  if is_leased(state) then
    -- The runner that is being made for it has nothing to do.
    redis.call('HSET', key, 'cancel', detail)
    if not other then
      return 'leased'
    end
  end
  redis.call('HSET', key, 'served_by', runner)
  if other then
    count_wait(id, now)
  end
  if state == 'pending' or state == 'delayed' or state == 'dead' then
    withdraw(id)
    event(id, ends_as, says)
    close(id, ends_as, keep_ms)
  end
  return 'closed'
end

local verdict = see_to()
if verdict == 'unknown' or other and (verdict == 'closed' or verdict == 'before') then
  return {verdict, 'open'}
end
return {verdict, take_down(id, ARGV[8], ARGV[9], detail)}
