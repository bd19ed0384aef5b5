-- Refuses the call in a store whose jobs were moved to another: nothing comes in there, or changes, any more (move_to.rs).
if redis.call('GET', P .. 'moved') then
  return redis.error_reply('ELSEWHERE the jobs were moved to another store')
end
