-- Takes jobs in as `export` tells of them, but those that are known here: they have come before. Leases begin anew, and those that wait
-- stand behind those that wait here.
-- KEYS  1 the pool's prefix
-- ARGV  1 lease (ms)  2… what there is to say of each job
local at = 1

local function take()
  at = at + 1
  return ARGV[at]
end

local function take_all()
  local words = {}
  for i = 1, tonumber(take()) do
    words[i] = take()
  end
  return words
end

local function keep_entry(entry, set, score, fields)
  redis.call('HSET', job_key(entry), unpack(fields))
  local state, scope = unpack(redis.call('HMGET', job_key(entry), 'state', 'scope'))
  if set == 'queued' then
    push(entry, scope, false)
  elseif set == 'lease' then
    -- The slot of one whose worker fell silent is held for as long as it would have been.
    local held = state == 'orphaned' and tonumber(score) or 0
    redis.call('ZADD', P .. 'lease', math.max(now + ARGV[1], held), entry)
    redis.call('SADD', P .. 'active:' .. scope, entry)
  else
    redis.call('ZADD', P .. set, score, entry)
  end
end

local function keep_rest(id, events, left)
  if #events > 0 then
    redis.call('RPUSH', P .. 'events:' .. id, unpack(events))
  end
  if left >= 0 then
    redis.call('PEXPIRE', job_key(id), left)
    redis.call('PEXPIRE', P .. 'events:' .. id, left)
  end
end

-- Until the workers come here nobody calls: that is taken for an outage, after which leases do not end at once (tend.lua).
redis.call('SET', P .. 'alive', now, 'NX')
while at < #ARGV do
  local id, _, left, events = take(), take(), tonumber(take()), take_all()
  local known = redis.call('EXISTS', job_key(id)) == 1
  for _ = 1, tonumber(take()) do
    local entry, set, score, fields = take(), take(), take(), take_all()
    if not known then
      keep_entry(entry, set, score, fields)
    end
  end
  if not known then
    keep_rest(id, events, left)
  end
end
wake()
return 1
