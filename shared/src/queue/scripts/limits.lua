-- Changes the limits. Scopes that waited at theirs look again.
-- KEYS  1 the pool's prefix
-- ARGV  field, value, for each that is to be changed; '' takes the field away
-- Returns all fields and values.
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', P .. 'limits', ARGV[i])
  else
    redis.call('HSET', P .. 'limits', ARGV[i], ARGV[i + 1])
  end
end
for _, scope in ipairs(redis.call('SMEMBERS', P .. 'parked')) do
  ring(scope)
end
wake()
return redis.call('HGETALL', P .. 'limits')
