-- Takes jobs out that are in another store by now, with all that belongs to them.
-- KEYS  1 the pool's prefix
-- ARGV  1 the list or the set that they stand in (export.lua)  2… what stands there
local from = ARGV[1]
for i = 2, #ARGV do
  local id = job_of(ARGV[i])
  for _, entry in ipairs(entries_of(id)) do
    local scope = redis.call('HGET', job_key(entry), 'scope')
    if scope then
      redis.call('SREM', P .. 'active:' .. scope, entry)
    end
    redis.call('ZREM', P .. 'lease', entry)
    redis.call('DEL', job_key(entry))
  end
  redis.call('DEL', P .. 'events:' .. id)
  withdraw(id)
  redis.call('ZREM', P .. 'ended', id)
  if string.find(from, '^pending:') then
    redis.call('LREM', P .. from, -1, ARGV[i])
  else
    redis.call('ZREM', P .. from, ARGV[i])
  end
end
return 1
