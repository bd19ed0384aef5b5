-- Opens a job again that is done, for its runner has ended its work, and that GitHub has in its queue still: the runner had another
-- job, of which nothing was heard.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id
-- Returns 1, or 0 when it stands otherwise.
local id = ARGV[1]
local state, scope, idle, served, left, cancel =
  unpack(redis.call('HMGET', job_key(id), 'state', 'scope', 'idle', 'served_by', 'left', 'cancel'))
if state ~= 'done' or not scope or idle or served or left or cancel then
  return 0
end
revive(id)
uncount_wait(id)
event(id, 'reopened', 'GitHub has it in its queue: its runner had another job, of which nothing was heard; it waits for another')
push(id, scope, true)
return 1
