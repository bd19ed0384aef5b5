-- Takes in how GitHub answered a call, for all who call with the same credential.
-- KEYS  1 the caller's prefix
-- ARGV  1 ticket  2 endpoint  3 'ok', 'refused', 'failed' or 'limited'  4 how long GitHub wants no calls (ms), or '' if it did not say
--       5 what it said  6 the bucket that the call was counted in, or ''  7 its limit  8 what is left of it  9 ms to its reset
-- Returns for how many ms no calls are to be made.
local ticket, endpoint, verdict, told, said, resource = unpack(ARGV)

-- How long no calls are made when GitHub does not say how long: a minute, and twice as long each time that it was too short.
local UNTOLD, UNTOLD_MAX = 60000, 3600000
-- How far apart the resets of one bucket may be told to be, and how long the bucket is remembered.
local SAME, KEEP = 2000, 7 * 24 * 3600 * 1000

redis.call('ZREM', P .. 'calls', ticket)

if resource ~= '' then
  redis.call('HSET', P .. 'resources', endpoint, resource)
  redis.call('PEXPIRE', P .. 'resources', KEEP)
  local bucket = P .. 'bucket:' .. resource
  local limit, left, reset = tonumber(ARGV[7]), tonumber(ARGV[8]), now + ARGV[9]
  local known, remaining, assumed = unpack(redis.call('HMGET', bucket, 'reset', 'remaining', 'assumed'))
  known = tonumber(known or 0)
  if reset > known + SAME or (assumed and reset > assumed + SAME) then
    -- The calls that are under way may not have been counted yet.
    left = math.max(left - redis.call('ZCARD', P .. 'calls'), 0)
    redis.call('HSET', bucket, 'limit', limit, 'remaining', left, 'had', left, 'reset', reset, 'window', reset - now)
    redis.call('HDEL', bucket, 'assumed')
  elseif reset > known - SAME then
    redis.call('HSET', bucket, 'limit', limit, 'remaining', math.min(tonumber(remaining), left))
  end
  redis.call('PEXPIRE', bucket, KEEP)
end

local left = math.max(redis.call('PTTL', P .. 'stop'), 0)
if verdict == 'ok' or verdict == 'refused' then
  if left == 0 then
    redis.call('DEL', P .. 'doubt')
  end
  return left
end
-- An empty bucket alone is waited for; other buckets are not.
if verdict ~= 'limited' or (told == '' and resource ~= '' and tonumber(ARGV[8]) == 0) then
  return left
end
local stop = tonumber(told)
if told == '' then
  if left > 0 then
    return left -- this call was under way when another was refused: it is not one more
  end
  local times = tonumber(redis.call('GET', P .. 'times') or 0)
  stop = math.min(UNTOLD * 2 ^ times, UNTOLD_MAX)
  redis.call('SET', P .. 'times', times + 1, 'PX', 3 * stop)
end
redis.call('SET', P .. 'doubt', 1, 'PX', stop + UNTOLD_MAX)
if stop <= left then
  return left
end
redis.call('SET', P .. 'stop', said, 'PX', stop)
return stop
