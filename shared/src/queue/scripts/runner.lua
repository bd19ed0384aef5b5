-- Records, leases and runners.
-- Whether an entry is a warm runner's, which was started without a job (refill.lua).
local function is_warm(entry)
  return string.sub(entry, 1, 1) == 'w'
end

-- Counts for how long a job has waited that runs since `at`: once, by the quarter of an hour, in buckets each of which is a fifth wider
-- than the one before (waits.rs).
local QUARTER_MS, WAITS_MEMORY_MS = 900000, 90000000
local function count_wait(id, at)
  local key = job_key(id)
  local came, counted = unpack(redis.call('HMGET', key, 'enq', 'ran'))
  if not came or counted or is_warm(id) then
    return
  end
  local waited = math.max(1, at - waits_since(id))
  local bucket = math.max(0, math.ceil(4 * math.log(waited / 250) / math.log(2)))
  local quarter = math.floor(at / QUARTER_MS)
  redis.call('HSET', key, 'ran', string.format('%d %d', quarter, bucket))
  redis.call('HINCRBY', P .. 'waits:' .. string.format('%d', quarter), string.format('%d', bucket), 1)
  redis.call('PEXPIRE', P .. 'waits:' .. string.format('%d', quarter), WAITS_MEMORY_MS)
end

-- Takes that back: it was another job that ran.
local function uncount_wait(id)
  local quarter, bucket = string.match(redis.call('HGET', job_key(id), 'ran') or '', '^(%d+) (%d+)$')
  if quarter and redis.call('HEXISTS', P .. 'waits:' .. quarter, bucket) == 1 then
    redis.call('HINCRBY', P .. 'waits:' .. quarter, bucket, -1)
  end
  redis.call('HDEL', job_key(id), 'ran')
end

-- Adds the events that a worker noted: ARGV from `first` to `last`, each how many ms ago, word, detail. Of a runner that has a job the entry
-- says so. The runner by which a stopped
-- pool is tried again has shown that it can work once it has a job: then the others may start.
local function events_from(first, last, id, key)
  for i = first, last - 2, 3 do
    event(id, ARGV[i + 1], ARGV[i + 2], now - ARGV[i])
    if ARGV[i + 1] == 'running' then
      redis.call('HSET', key, 'busy', 1)
      if key == job_key(id) then
        count_wait(id, now - ARGV[i]) -- that of a runner which took another job is that one's (served.lua)
      end
    end
    if ARGV[i + 1] == 'running' and redis.call('HGET', P .. 'stopped', 'trial') == id then
      redis.call('DEL', P .. 'stopped')
      wake()
    end
  end
end

-- Adds to a job's record what a delivery said of it, which counts as dealt with then: 'recorded', 'delivery' for a GUID seen before,
-- or 'unknown' without a record.
local function take_down(id, guid, guid_ms, says)
  if redis.call('EXISTS', job_key(id)) == 0 then
    return 'unknown'
  end
  if not redis.call('SET', P .. 'dlv:' .. guid, id, 'NX', 'PX', guid_ms) then
    return 'delivery'
  end
  event(id, 'noted', says)
  return 'recorded'
end

-- Puts a record on the list of those that expire, and takes some off that have. While one of the job's runners works on
-- another job it stays, for that runner's lease goes by it: `end_lent` lets it go.
local function expire(id, keep_ms)
  if tonumber(redis.call('HGET', job_key(id), 'lent') or 0) == 0 then
    redis.call('PEXPIRE', job_key(id), keep_ms)
    redis.call('PEXPIRE', P .. 'events:' .. id, keep_ms)
  end
  redis.call('ZADD', P .. 'ended', now, id)
  for _, gone in ipairs(redis.call('ZRANGE', P .. 'ended', '-inf', now - keep_ms, 'BYSCORE', 'LIMIT', 0, 4)) do
    redis.call('ZREM', P .. 'ended', gone)
  end
end

-- Ends a record in a final state and lets it expire.
local function close(id, state, keep_ms)
  redis.call('HSET', job_key(id), 'state', state, 'end', now)
  expire(id, keep_ms)
  count(state)
end

-- Makes a job a dead letter. It stays until somebody takes it out.
local function bury(id, err)
  redis.call('HSET', job_key(id), 'state', 'dead', 'err', err, 'end', now)
  redis.call('HSETNX', job_key(id), 'first_err', err)
  redis.call('ZADD', P .. 'dead', now, id)
  event(id, 'dead', err)
  count('died')
end

-- Takes an entry out of the leased and frees its slot; a scope that waited at its limit takes its turn again.
local function unlease(entry, scope)
  redis.call('ZREM', P .. 'lease', entry)
  redis.call('SREM', P .. 'active:' .. scope, entry)
  ring(scope)
  wake()
end

local function is_leased(state)
  return state == 'starting' or state == 'running' or state == 'orphaned'
end

-- Which entry a runner's slot is held by: its job, or, when the runner took another job (crossover.lua), an entry of its
-- own, for the job waits again.
local function entry_of(id, attempt)
  if redis.call('HEXISTS', job_key(id), 'lent:' .. attempt) == 1 then
    return id .. '~' .. attempt
  end
  return id
end

-- The job that an entry belongs to.
local function job_of(entry)
  return string.match(entry, '^[^~]+')
end

-- Ends the entry of a warm runner. That of one that came to nothing is soon forgotten, for there may be hundreds in a day.
local WARM_MEMORY_MS = 3600000
local function close_warm(id, says, keep_ms)
  local key = job_key(id)
  redis.call('HSET', key, 'state', 'done', 'end', now)
  event(id, 'done', says)
  if redis.call('HEXISTS', key, 'busy') == 1 then
    expire(id, keep_ms)
  else
    local ms = math.min(keep_ms, WARM_MEMORY_MS)
    redis.call('PEXPIRE', key, ms)
    redis.call('PEXPIRE', P .. 'events:' .. id, ms)
  end
end

-- How many warm runners of a scope came to nothing one after the other, and until when none is made therefore.
local function failed_warm(scope)
  local failures, until_ms = string.match(redis.call('GET', P .. 'warm:' .. scope) or '', '^(%d+) (%d+)$')
  return tonumber(failures or 0), tonumber(until_ms or 0)
end

-- One came to nothing: the next is made after a while. That is forgotten a minute later.
local function hold_off(scope, delay)
  local value = string.format('%d %d', failed_warm(scope) + 1, now + delay)
  redis.call('SET', P .. 'warm:' .. scope, value, 'PX', delay + 60000)
end

-- Ends the entry of a runner that took another job. Its own job goes its way, or has long gone it.
local function end_lent(entry, scope, keep_ms)
  unlease(entry, scope)
  redis.call('DEL', job_key(entry))
  local id = job_of(entry)
  local state, lent = unpack(redis.call('HMGET', job_key(id), 'state', 'lent'))
  if lent and redis.call('HINCRBY', job_key(id), 'lent', -1) == 0 and (state == 'done' or state == 'cancelled') then
    expire(id, keep_ms)
  end
end

-- Takes in that a runner has ended its work, as GitHub says. Its worker will see that too; if it is gone, the slot is free
-- now, or once that is known.
local function ended(entry, says, keep_ms)
  local id = job_of(entry)
  local state, scope = unpack(redis.call('HMGET', job_key(entry), 'state', 'scope'))
  if state == 'orphaned' and entry ~= id then
    end_lent(entry, scope, keep_ms)
  elseif state == 'orphaned' and is_warm(id) then
    unlease(id, scope)
    close_warm(id, says, keep_ms)
  elseif state == 'orphaned' then
    unlease(id, scope)
    event(id, 'done', says)
    close(id, 'done', keep_ms)
  elseif is_leased(state) then
    redis.call('HSET', job_key(entry), 'exited', says)
  end
end
