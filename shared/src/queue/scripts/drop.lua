-- Takes dead letters out for good. Their records stay for a while and say so.
-- KEYS  1 the pool's prefix
-- ARGV  1 how long a record is kept (ms)  2… job ids
-- Returns the ids of those that were dead letters.
local dropped = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', P .. 'dead', id) == 1 then
    event(id, 'dropped', 'a dead letter that an operator dropped')
    close(id, 'cancelled', ARGV[1])
    count('dropped')
    dropped[#dropped + 1] = id
  end
end
return dropped
