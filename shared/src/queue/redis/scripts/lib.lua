-- What the scripts have in common. Every name is built from KEYS[1], so a pool's keys share a slot of a cluster.
local P = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local EVENTS_MAX = 100

local function job_key(id)
  return P .. 'job:' .. id
end

-- Adds an event to a job's record: milliseconds, word and detail, separated by spaces.
local function event(id, what, detail, at)
  local key = P .. 'events:' .. id
  redis.call('RPUSH', key, string.format('%d %s %s', at or now, what, detail))
  redis.call('LTRIM', key, -EVENTS_MAX, -1)
end

-- Adds the events that a worker noted: ARGV from `first` on, each how many ms ago, word, detail.
local function events_from(first, id)
  for i = first, #ARGV - 2, 3 do
    event(id, ARGV[i + 1], ARGV[i + 2], now - ARGV[i])
  end
end

-- Lets a scope take its turn, if it has work.
local function ring(scope)
  if redis.call('EXISTS', P .. 'pending:' .. scope) == 1 then
    redis.call('ZADD', P .. 'ring', 'NX', redis.call('INCR', P .. 'seq'), scope)
  end
end

-- Wakes one waiting worker, if there is work to be had.
local function wake()
  if redis.call('EXISTS', P .. 'ring') == 1 then
    redis.call('ZADD', P .. 'wake', 0, 'w')
  end
end

-- Ends a record in a final state and lets it expire.
local function close(id, state, keep_ms)
  redis.call('HSET', job_key(id), 'state', state, 'end', now)
  redis.call('PEXPIRE', job_key(id), keep_ms)
  redis.call('PEXPIRE', P .. 'events:' .. id, keep_ms)
end

-- Makes a job a dead letter. It stays until somebody takes it out.
local function bury(id, err)
  redis.call('HSET', job_key(id), 'state', 'dead', 'err', err, 'end', now)
  redis.call('ZADD', P .. 'dead', now, id)
  event(id, 'dead', err)
end

-- Puts a job into its scope's list, at the head if it is to be next.
local function push(id, scope, head)
  redis.call('HSET', job_key(id), 'state', 'pending')
  redis.call('ZADD', P .. 'queued', redis.call('HGET', job_key(id), 'enq') or now, id)
  redis.call(head and 'RPUSH' or 'LPUSH', P .. 'pending:' .. scope, id)
  ring(scope)
  wake()
end

-- Takes a job out of the leased and frees its slot; a scope that waited at its limit takes its turn again.
local function unlease(id, scope)
  redis.call('ZREM', P .. 'lease', id)
  redis.call('SREM', P .. 'active:' .. scope, id)
  ring(scope)
  wake()
end

local function is_leased(state)
  return state == 'starting' or state == 'running' or state == 'orphaned'
end
