-- Stores jobs, each once, however often it is delivered. The first write is refused when memory is full, so then nothing is changed.
-- KEYS  1 the pool's prefix
-- ARGV  1 how long a GUID is remembered (ms)  2… of each job: its id, delivery GUID, scope, message
-- Returns a word for each: stored, delivery for a GUID seen before, or the state of a job that is known.
local at = string.format('%d', now)

-- What is to be said of a job that is known, and is not to come in; nil if it is.
local function known(id, guid)
  local key = job_key(id)
  local state = redis.call('HGET', key, 'state')
  if not state then
    return nil
  end
  local idle, cancel, served, scope = unpack(redis.call('HMGET', key, 'idle', 'cancel', 'served_by', 'scope'))
  if state == 'done' and idle and not cancel and not served then
    -- It waited at GitHub for something else, such as an approval, for longer than its runner waited for it.
    revive(id)
    redis.call('HDEL', key, 'ran')
    redis.call('HSET', key, 'since', at)
    event(id, 'reopened', 'delivered again, by ' .. guid .. '; its runner had found no job')
    push(id, scope, false)
    return 'stored'
  end
  event(id, 'noted', 'delivered again, by ' .. guid)
  return state
end

local answers, scopes, ids, queued = {}, {}, {}, {}
for i = 2, #ARGV, 4 do
  local id, guid, scope = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local answer = 'delivery'
  if redis.call('SET', P .. 'dlv:' .. guid, id, 'NX', 'PX', ARGV[1]) then
    answer = known(id, guid)
    if not answer then
      -- When and by what it was delivered is not written down as an event besides (read.rs).
      redis.call('HSET', job_key(id), 'state', 'pending', 'msg', ARGV[i + 3], 'scope', scope, 'enq', at)
      queued[#queued + 1] = at
      queued[#queued + 1] = id
      if not ids[scope] then
        ids[scope] = {}
        scopes[#scopes + 1] = scope
      end
      table.insert(ids[scope], id)
      answer = 'stored'
    end
  end
  answers[#answers + 1] = answer
end
if #scopes > 0 then
  redis.call('ZADD', P .. 'queued', unpack(queued))
  for _, scope in ipairs(scopes) do
    redis.call('LPUSH', P .. 'pending:' .. scope, unpack(ids[scope]))
    ring(scope)
  end
  rouse()
  count('accepted', #queued / 2)
end
return table.concat(answers, ' ')
