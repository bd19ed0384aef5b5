-- Refuses the call in a store that is in use: it is late, and the jobs were moved back meanwhile.
if not redis.call('GET', P .. 'moved') then
  return redis.error_reply('OPEN the store is in use')
end
