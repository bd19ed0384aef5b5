-- What follows when a runner took another job than its own: that other one is served, and its own waits again.
--
-- A job that a worker holds when another's runner takes it is not closed: the runner that is made for it will do for the other,
-- which is left to it ('left': that job and the runner, served.lua). Should it come to nothing, the other is opened after all.

local reopen

-- Moves a runner's slot from its job to an entry of its own.
local function move_slot(id, attempt, state, scope)
  local key, entry = job_key(id), id .. '~' .. attempt
  local moved = redis.call('HMGET', key, 'worker', 'epoch', 'runner', 'exited', 'busy')
  redis.call('HSET', job_key(entry), 'state', state, 'scope', scope, 'attempt', attempt)
  for i, field in ipairs({'worker', 'epoch', 'runner', 'exited', 'busy'}) do
    if moved[i] then
      redis.call('HSET', job_key(entry), field, moved[i])
    end
  end
  redis.call('ZADD', P .. 'lease', redis.call('ZSCORE', P .. 'lease', id) or now, entry)
  redis.call('SADD', P .. 'active:' .. scope, entry)
  redis.call('HINCRBY', key, 'lent', 1)
  unlease(id, scope)
  return entry
end

-- The runner took another job: its slot is its own, and ends with it if it is known that nobody will end it.
local function lend(id, attempt, state, scope, completed, keep_ms)
  local entry = move_slot(id, attempt, state == 'orphaned' and state or 'running', scope)
  local exited = redis.call('HGET', job_key(entry), 'exited')
  redis.call('HSET', job_key(entry), 'busy', 1)
  if exited or completed then
    ended(entry, exited or completed, keep_ms)
  end
end

-- The job needs its runner no more, which waits for whichever comes from now on. Returns the runner's entry.
local function set_free(id, attempt, state, scope, says, keep_ms)
  local entry = move_slot(id, attempt, state, scope)
  redis.call('HSET', job_key(id), 'lent:' .. attempt, 'free')
  event(id, 'done', says)
  close(id, 'done', keep_ms)
  return entry
end

-- Whether a runner has no job of its own to run: nobody loses it when it takes one.
local function is_free(id, attempt)
  return is_warm(id) and redis.call('EXISTS', job_key(id)) == 1 or redis.call('HGET', job_key(id), 'lent:' .. attempt) == 'free'
end

-- Such a runner took a job.
local function free_took(id, attempt, took, completed, keep_ms)
  local entry = entry_of(id, attempt)
  local state, own = unpack(redis.call('HMGET', job_key(entry), 'state', 'attempt'))
  if entry ~= id then
    redis.call('HSET', job_key(id), 'lent:' .. attempt, took)
  end
  if is_leased(state) and own == attempt then
    redis.call('HSET', job_key(entry), 'busy', 1)
    event(id, 'noted', 'its runner of attempt ' .. attempt .. ' took job ' .. took)
  end
  if completed then
    ended(entry, completed, keep_ms)
  end
end

-- Ends a job that ran on another's runner, after its own came to nothing, or took a third.
local function pass_on(id, state, left, keep_ms)
  local other, attempt, runner = string.match(left, '^(w?%d+)~(%d+) (.*)$')
  redis.call('HSET', job_key(id), 'served_by', runner)
  if state ~= 'done' then
    event(id, 'done', 'it ran on the runner ' .. runner)
    close(id, 'done', keep_ms)
  end
  reopen(other, attempt, id, nil, keep_ms)
end

-- Opens a job again whose runner of `attempt` took the job `took`; with `completed`, what is to be said of that runner, if it
-- has ended its work.
-- Returns 'unknown', 'opened', 'before' when it was opened for this runner before, or 'kept' when it needs no runner, has
-- one, or waits for one.
function reopen(id, attempt, took, completed, keep_ms)
  local key = job_key(id)
  local state, scope, own, served, cancel, left =
    unpack(redis.call('HMGET', key, 'state', 'scope', 'attempt', 'served_by', 'cancel', 'left'))
  if not state or not scope then
    return 'unknown'
  end
  if is_free(id, attempt) then
    free_took(id, attempt, took, completed, keep_ms)
    return 'kept'
  end
  if redis.call('HSETNX', key, 'lent:' .. attempt, took) == 0 then
    if completed then
      ended(id .. '~' .. attempt, completed, keep_ms)
    end
    return 'before'
  end
  local says = 'its runner of attempt ' .. attempt .. ' took job ' .. took
  local held = is_leased(state) and own == attempt
  if held then
    lend(id, attempt, state, scope, completed, keep_ms)
  elseif own ~= attempt or (state ~= 'done' and state ~= 'dead') then
    event(id, 'noted', says)
    return 'kept'
  end
  if left or served or cancel then
    event(id, 'noted', says)
    if left and not served then
      pass_on(id, state, left, keep_ms)
    elseif held then
      close(id, served and 'done' or 'cancelled', keep_ms)
    end
    return 'kept'
  end
  if state == 'done' then
    revive(id)
  end
  withdraw(id)
  redis.call('HDEL', key, 'end')
  uncount_wait(id)
  event(id, 'reopened', says .. '; it waits for another')
  push(id, scope, true)
  return 'opened'
end
