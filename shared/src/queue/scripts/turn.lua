-- How a job comes to wait for a worker, and a scope to its turn.
-- Lets a scope take its turn, if it has work. One that has a turn is not parked.
local function ring(scope)
  if redis.call('ZSCORE', P .. 'ring', scope) then
    return
  end
  redis.call('SREM', P .. 'parked', scope)
  if redis.call('EXISTS', P .. 'pending:' .. scope) == 1 then
    redis.call('ZADD', P .. 'ring', redis.call('INCR', P .. 'seq'), scope)
  end
end

-- Has a waiting worker look.
local function rouse()
  redis.call('ZADD', P .. 'wake', 0, 'w')
end

-- The same, if there is work to be had.
local function wake()
  if redis.call('EXISTS', P .. 'ring') == 1 then
    rouse()
  end
end

-- Since when a job waits: since it came, or since it was replayed.
local function waits_since(id)
  local since, came = unpack(redis.call('HMGET', job_key(id), 'since', 'enq'))
  return since or came or now
end

-- Takes back that a job is done: its record is kept again. What is counted never gets less.
local function revive(id)
  redis.call('PERSIST', job_key(id))
  redis.call('PERSIST', P .. 'events:' .. id)
  redis.call('ZREM', P .. 'ended', id)
  redis.call('HDEL', job_key(id), 'end', 'idle')
  count('reopened')
end

-- Has a job wait again, at the head of its scope's list if it is to be next. Then there is work.
local function push(id, scope, head)
  redis.call('HSET', job_key(id), 'state', 'pending')
  redis.call('ZADD', P .. 'queued', waits_since(id), id)
  redis.call(head and 'RPUSH' or 'LPUSH', P .. 'pending:' .. scope, id)
  ring(scope)
  rouse()
end

-- Takes a job out of those that wait, for a worker or for a person. Its id may stay in the list: what is not in
-- `queued` is passed over.
local function withdraw(id)
  redis.call('ZREM', P .. 'queued', id)
  redis.call('ZREM', P .. 'delayed', id)
  redis.call('ZREM', P .. 'dead', id)
end

