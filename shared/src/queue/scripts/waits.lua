-- Says whether a job waits that could be started in a pool at once.
-- KEYS  1 the pool's prefix
-- Returns 1 or 0.
local limit = pool_limit()
local has_slot = limit and redis.call('ZCARD', P .. 'lease') < limit and not is_held_up()
return has_slot and more_wait(0) and 1 or 0
