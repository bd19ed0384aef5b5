-- What the scripts have in common. Every name is built from KEYS[1], so a pool's keys share a slot of a cluster.
local P = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local EVENTS_MAX = 100

local function job_key(id)
  return P .. 'job:' .. id
end

local function count(what, times)
  redis.call('HINCRBY', P .. 'stats', what, times or 1)
end

-- Writes an event down in a job's record: milliseconds, word and detail, separated by spaces. The newest are kept.
local function event(id, what, detail, at)
  redis.call('RPUSH', P .. 'events:' .. id, string.format('%d %s %s', at or now, what, detail))
  redis.call('LTRIM', P .. 'events:' .. id, -EVENTS_MAX, -1)
end

