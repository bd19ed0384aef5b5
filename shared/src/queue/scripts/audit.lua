-- Looks for what no sequence of scripts can lead to, but a store that lost writes, a restored backup or a hand in the data can:
-- repairs it, and counts. And gives up jobs that have waited for too long. Looks at part of the keys; call it again
-- with the cursor that it returns.
-- KEYS  1 the pool's prefix
-- ARGV  1 cursor, '0' to begin  2 '1' to look also at what needs no cursor  3 lease (ms)  4 how long a job may wait (ms)
-- Returns {cursor, '0' at the end; what was done and how often, by turns}.
local did = {}

local function repaired(what)
  did[what] = (did[what] or 0) + 1
  count('repaired:' .. what)
end

local function audit_leases()
  for _, entry in ipairs(redis.call('ZRANGE', P .. 'lease', 0, -1)) do
    local state, scope = unpack(redis.call('HMGET', job_key(entry), 'state', 'scope'))
    if not scope or not is_leased(state) then
      redis.call('ZREM', P .. 'lease', entry)
      repaired('lease_without_job')
    elseif redis.call('SADD', P .. 'active:' .. scope, entry) == 1 then
      repaired('lease_not_counted')
    end
  end
end

local function audit_dead()
  for _, id in ipairs(redis.call('ZRANGE', P .. 'dead', 0, 999)) do
    if redis.call('EXISTS', job_key(id)) == 0 then
      redis.call('ZREM', P .. 'dead', id)
      repaired('dead_without_job')
    end
  end
end

local function audit_job(entry)
  local id = job_of(entry)
  local state, scope = unpack(redis.call('HMGET', job_key(entry), 'state', 'scope'))
  if not scope and state ~= 'done' and state ~= 'cancelled' then
    -- What is left of a record can be neither worked on nor shown.
    withdraw(id)
    redis.call('DEL', job_key(entry))
    repaired('record_incomplete')
  elseif state == 'pending' and not redis.call('ZSCORE', P .. 'queued', id) then
    push(id, scope, false)
    repaired('pending_not_queued')
  elseif state == 'delayed' and not redis.call('ZSCORE', P .. 'delayed', id) then
    redis.call('ZADD', P .. 'delayed', now, id)
    rouse()
    repaired('delayed_without_time')
  elseif state == 'dead' and not redis.call('ZSCORE', P .. 'dead', id) then
    redis.call('ZADD', P .. 'dead', now, id)
    repaired('dead_not_listed')
  elseif is_leased(state) and not redis.call('ZSCORE', P .. 'lease', entry) then
    redis.call('ZADD', P .. 'lease', now + ARGV[3], entry)
    redis.call('SADD', P .. 'active:' .. scope, entry)
    repaired('job_without_lease')
  end
end

local function audit_active(scope)
  for _, entry in ipairs(redis.call('SMEMBERS', P .. 'active:' .. scope)) do
    if not redis.call('ZSCORE', P .. 'lease', entry) then
      redis.call('SREM', P .. 'active:' .. scope, entry)
      ring(scope)
      repaired('slot_without_lease')
    end
  end
end

local function audit_scope(scope)
  if redis.call('ZSCORE', P .. 'ring', scope) then
    return
  end
  if redis.call('SISMEMBER', P .. 'parked', scope) == 0 or has_room(scope) then
    ring(scope)
    repaired('scope_without_turn')
  end
end

-- Ids that a list has lost, though their jobs wait. To look for one that is missing takes the whole list, so it is done only
-- where the numbers say that some are, and for those that have waited the longest, which are near the end.
local function audit_lists()
  local listed, scopes = 0, {}
  for _, scope in ipairs(redis.call('ZRANGE', P .. 'ring', 0, -1)) do
    scopes[#scopes + 1] = scope
  end
  for _, scope in ipairs(redis.call('SMEMBERS', P .. 'parked')) do
    scopes[#scopes + 1] = scope
  end
  for _, scope in ipairs(scopes) do
    listed = listed + redis.call('LLEN', P .. 'pending:' .. scope)
  end
  if listed >= redis.call('ZCARD', P .. 'queued') then
    return
  end
  for _, id in ipairs(redis.call('ZRANGE', P .. 'queued', 0, 999)) do
    local scope = redis.call('HGET', job_key(id), 'scope')
    if not scope then
      redis.call('ZREM', P .. 'queued', id)
      repaired('queued_without_job')
    elseif not redis.call('LPOS', P .. 'pending:' .. scope, id, 'RANK', -1) then
      redis.call('RPUSH', P .. 'pending:' .. scope, id)
      ring(scope)
      repaired('queued_not_listed')
    end
  end
end

local function give_up(longest)
  for _, id in ipairs(redis.call('ZRANGE', P .. 'queued', '-inf', now - longest, 'BYSCORE', 'LIMIT', 0, 100)) do
    local scope = redis.call('HGET', job_key(id), 'scope')
    local waited = math.floor((now - waits_since(id)) / 1000)
    withdraw(id)
    if scope then
      -- It may be put back, and must not be in its list twice then.
      redis.call('LREM', P .. 'pending:' .. scope, -1, id)
      bury(id, string.format('it waited %d s, longer than RUNNER_AUTOSCALE_TIMEOUT (%d s)', waited, longest / 1000))
      did.given_up = (did.given_up or 0) + 1
    else
      repaired('queued_without_job')
    end
  end
end

if ARGV[2] == '1' then
  audit_leases()
  audit_dead()
  audit_lists()
  give_up(tonumber(ARGV[4]))
end
local cursor, keys = unpack(redis.call('SCAN', ARGV[1], 'MATCH', string.gsub(P, '[%[%]*?\\]', '\\%0') .. '*', 'COUNT', 300))
for _, key in ipairs(keys) do
  local kind, name = string.match(string.sub(key, #P + 1), '^(%a+):(.*)$')
  if kind == 'job' then
    audit_job(name)
  elseif kind == 'active' then
    audit_active(name)
  elseif kind == 'pending' then
    audit_scope(name)
  end
end
wake()
did.dead = redis.call('ZCARD', P .. 'dead')
local answer = {cursor}
for what, times in pairs(did) do
  answer[#answer + 1] = what
  answer[#answer + 1] = tostring(times)
end
return answer
