-- Says whether a call to GitHub may be made, and counts it if so. All who call with one credential share what is counted.
-- KEYS  1 the caller's prefix
-- ARGV  1 ticket  2 endpoint, or '' when no call is made and only paces are counted  3 'urgent' or ''
--       4 the longest delay (ms)  5 how many calls may be under way  6 how long a call may take (ms)
--       7… paces: name, cost, ms that one of them takes up, ms that they may be ahead
-- Returns {'go', delay (ms)}, or {'wait', ms, which limit, 1 if it is for all calls or 0}.
local ticket, endpoint, urgent = ARGV[1], ARGV[2], ARGV[3] == 'urgent'
local longest, most, call_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- How long it takes until calls that were refused may be tried again; the line of those that wait for one limit is no longer.
local AGAIN, LINE = 500, 300000
-- The part of a bucket that is kept for urgent calls, and the part of it that may be used ahead of time.
local RESERVE, AHEAD = 1 / 50, 1 / 4

local stopped = redis.call('PTTL', P .. 'stop')
if stopped > 0 then
  return {'wait', stopped, redis.call('GET', P .. 'stop'), 1}
end

local paces, delay, slowest = {}, 0, nil
local function paid(name)
  return math.max(tonumber(redis.call('GET', P .. 'pace:' .. name) or 0), now)
end
local function keep(name, cost, each, ahead)
  local paid_until = paid(name)
  paces[#paces + 1] = {name = name, paid_until = paid_until + cost * each}
  if paid_until - ahead - now > delay then
    delay, slowest = math.ceil(paid_until - ahead - now), {name = name, each = cost * each}
  end
end
for i = 7, #ARGV - 3, 4 do
  keep(ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
end

local bucket, remaining
if endpoint ~= '' then
  for _, lost in ipairs(redis.call('ZRANGE', P .. 'calls', '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
    redis.call('ZREM', P .. 'calls', lost)
  end
  -- After a limit was hit one call at a time finds out whether it is over.
  if redis.call('ZCARD', P .. 'calls') >= (redis.call('EXISTS', P .. 'doubt') == 1 and 1 or most) then
    return {'wait', AGAIN, 'calls at one time', 0}
  end

  local resource = redis.call('HGET', P .. 'resources', endpoint) or 'core'
  local what = resource .. ' requests'
  bucket = P .. 'bucket:' .. resource
  local limit, left, reset, window, had =
    unpack(redis.call('HMGET', bucket, 'limit', 'remaining', 'reset', 'window', 'had'))
  if limit then
    limit, remaining, reset = tonumber(limit), tonumber(left), tonumber(reset)
    if reset <= now then
      -- It is full again. How long for, the next answer tells; until then it is as long as it was.
      redis.call('HSET', bucket, 'assumed', reset, 'reset', now + window, 'remaining', limit, 'had', limit)
      redis.call('DEL', P .. 'pace:' .. what, P .. 'line:' .. what)
      remaining, reset, had = limit, now + window, limit
    end
    local reserve = urgent and 0 or math.ceil(limit * RESERVE)
    local usable = remaining - reserve
    if usable < 1 then
      return {'wait', math.max(reset - now, 1), what, 1}
    end
    if not urgent and usable - 1 < (had - reserve) * (1 - AHEAD) * (reset - now) / window then
      keep(what, 1, math.max(reset - paid(what), 0) / usable, 0)
    end
  end
end

if delay > longest then
  -- Each is told to come later than the one before, so that they do not all come back at once.
  local line = math.max(tonumber(redis.call('GET', P .. 'line:' .. slowest.name) or 0), now + delay)
  local last = math.ceil(math.min(line + slowest.each, now + math.max(delay, LINE)))
  redis.call('SET', P .. 'line:' .. slowest.name, last, 'PX', last - now)
  return {'wait', math.min(line, last) - now, slowest.name, 0}
end

for _, pace in ipairs(paces) do
  local paid_until = math.ceil(pace.paid_until)
  if paid_until > now then
    redis.call('SET', P .. 'pace:' .. pace.name, paid_until, 'PX', paid_until - now)
  end
end
if endpoint ~= '' then
  redis.call('ZADD', P .. 'calls', now + delay + call_ms, ticket)
end
if remaining then
  redis.call('HSET', bucket, 'remaining', remaining - 1)
end
return {'go', delay}
