-- Warm runners: they are up, or on their way, before there is a job for them. One that was started so has an entry of its own,
-- whose id no job has. When a job is given to it, the runner that is made for that job takes its place (reopen.lua).

-- The runners of a scope that have no job and are not on their way out, but for that of one entry; and how many of these wait
-- for whichever job comes.
local function idle_runners(scope, but)
  local all, free = 0, 0
  for _, entry in ipairs(redis.call('SMEMBERS', P .. 'active:' .. scope)) do
    local state, busy, exited, leaving, cancel =
      unpack(redis.call('HMGET', job_key(entry), 'state', 'busy', 'exited', 'leaving', 'cancel'))
    if entry ~= but and is_leased(state) and not (busy or exited or leaving or cancel) then
      all = all + 1
      if is_warm(entry) or entry ~= job_of(entry) then
        free = free + 1
      end
    end
  end
  return all, free
end

-- Whether no job starts now, however many wait (reserve.lua).
local function is_held_up()
  local due = redis.call('HGET', P .. 'stopped', 'due')
  return redis.call('PTTL', P .. 'paused') > 0 or (due and tonumber(due) > now)
end

-- Whether more than so many jobs wait that would do with a slot, but for those of one scope, whose idle runners will do.
local function more_wait(than, but)
  local jobs = 0
  for _, scope in ipairs(redis.call('ZRANGE', P .. 'ring', 0, -1)) do
    if scope ~= but and has_room(scope) then
      for _, id in ipairs(redis.call('LRANGE', P .. 'pending:' .. scope, -100, -1)) do
        if redis.call('ZSCORE', P .. 'queued', id) then
          jobs = jobs + 1
          if jobs > than then
            return true
          end
        end
      end
    end
  end
  return false
end
