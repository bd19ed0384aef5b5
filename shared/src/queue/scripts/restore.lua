-- Puts a job back whose record the store has lost, as the worker remembers it that holds its lease. It counts as running, which
-- it may be: then it is not started again elsewhere.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 attempt  3 epoch  4 worker  5 lease (ms)  6 scope  7 message  8 failed attempts  9 ms that it had waited
--       when it was leased  10 replays
-- Returns 1, or 0 when there is a record: then the lease was lost in another way.
local id, key = ARGV[1], job_key(ARGV[1])
if redis.call('EXISTS', key) == 1 then
  return 0
end
redis.call('HSET', key, 'state', 'running', 'msg', ARGV[7], 'scope', ARGV[6], 'enq', now - ARGV[9], 'worker', ARGV[4],
  'attempt', ARGV[2], 'epoch', ARGV[3], 'epochs', ARGV[3], 'attempts', ARGV[8], 'crashes', 0, 'replays', ARGV[10])
redis.call('ZADD', P .. 'lease', now + ARGV[5], id)
redis.call('SADD', P .. 'active:' .. ARGV[6], id)
event(id, 'noted', 'the store had lost this record; worker ' .. ARGV[4] .. ' has put it back')
count('restored')
return 1
