-- Puts dead letters back into the queue: with their message, first error and history, and all attempts before them.
-- KEYS  1 the pool's prefix
-- ARGV  job ids
-- Returns the ids of those that were dead letters.
local replayed = {}
for _, id in ipairs(ARGV) do
  local key = job_key(id)
  local scope = redis.call('HGET', key, 'scope')
  if scope and redis.call('ZREM', P .. 'dead', id) == 1 then
    redis.call('HINCRBY', key, 'replays', 1)
    redis.call('HSET', key, 'attempts', 0, 'crashes', 0, 'since', now)
    redis.call('HDEL', key, 'cancel', 'end', 'ran')
    event(id, 'replayed', 'after: ' .. (redis.call('HGET', key, 'err') or ''))
    push(id, scope, false)
    count('replayed')
    replayed[#replayed + 1] = id
  end
end
return replayed
