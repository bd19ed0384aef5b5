-- Brings back what is due: part of every `reserve` and `beat`, so that no process has this as its duty.

-- Delayed jobs whose time has come become pending, at most 50 at once.
local function promote()
  for _, id in ipairs(redis.call('ZRANGE', P .. 'delayed', '-inf', now, 'BYSCORE', 'LIMIT', 0, 50)) do
    redis.call('ZREM', P .. 'delayed', id)
    local scope = redis.call('HGET', job_key(id), 'scope')
    if scope then
      push(id, scope, false)
    end
  end
end

-- After a crash of its worker: a job that was starting starts again, the third time it is given up; the slot of a
-- runner that may still be up is held for its worker's return.
local function reap_one(entry, lease_ms, crashes_max, orphan_ms, keep_ms)
  local key, id = job_key(entry), job_of(entry)
  local state, scope, worker, exited, left =
    unpack(redis.call('HMGET', key, 'state', 'scope', 'worker', 'exited', 'left'))
  if scope and (state == 'starting' or state == 'running') then
    count('worker_lost')
  end
  if state == 'running' and not exited then
    redis.call('HSET', key, 'state', 'orphaned')
    redis.call('ZADD', P .. 'lease', now + orphan_ms, entry)
    event(id, 'worker_lost', 'worker ' .. worker .. ' fell silent; its runner may be up, so its slot is held')
    return
  end
  if not scope or not is_leased(state) then
    redis.call('ZREM', P .. 'lease', entry) -- it may just have been ended with another's
    return
  end
  if entry ~= id then
    end_lent(entry, scope, keep_ms)
    return
  end
  unlease(id, scope)
  if is_warm(id) then
    if state == 'starting' then
      hold_off(scope, lease_ms)
    end
    close_warm(id, exited or 'worker ' .. worker .. ' did not come back', keep_ms)
  elseif exited then
    close(id, 'done', keep_ms)
    event(id, 'done', exited)
  elseif left then
    pass_on(id, state, left, keep_ms)
  elseif state == 'starting' then
    event(id, 'worker_lost', 'worker ' .. worker .. ' fell silent while it prepared the runner')
    local crashes = redis.call('HINCRBY', key, 'crashes', 1)
    if redis.call('HEXISTS', key, 'cancel') == 1 then
      close(id, 'cancelled', keep_ms)
    elseif crashes >= crashes_max then
      bury(id, 'its worker died ' .. crashes .. ' times while preparing the runner')
    else
      push(id, scope, true)
    end
  elseif state == 'orphaned' then
    if redis.call('HEXISTS', key, 'cancel') == 1 then
      close(id, 'cancelled', keep_ms)
    else
      bury(id, 'runner lost: worker ' .. worker .. ' did not come back')
    end
  end
end

-- Ends leases that were not extended, at most 20 at once. When nobody at all called for half a lease it was the
-- store that was away, not the workers: then they get one lease's time to be heard.
local function reap(lease_ms, crashes_max, orphan_ms, keep_ms)
  local alive = tonumber(redis.call('GET', P .. 'alive') or now)
  redis.call('SET', P .. 'alive', now)
  if now - alive > lease_ms / 2 then
    redis.call('SET', P .. 'grace', 1, 'PX', lease_ms)
  end
  if redis.call('EXISTS', P .. 'grace') == 1 then
    return
  end
  for _, entry in ipairs(redis.call('ZRANGE', P .. 'lease', '-inf', now, 'BYSCORE', 'LIMIT', 0, 20)) do
    reap_one(entry, lease_ms, crashes_max, orphan_ms, keep_ms)
  end
end
