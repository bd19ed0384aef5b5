-- Tells all of the jobs that come next in a list or a set, as `import` takes it: each with its entries, so that a runner which
-- took another job goes with its own.
-- KEYS  1 the pool's prefix
-- ARGV  1 'pending:' and a scope, or the name of a set  2 how many at most
-- Returns {what stands there, what there is to say of each job}. The latter: id, state, ms until its record expires or -1; how
-- many events and the events; how many entries, and of each: its name, its set, its score there, how many words of its hash, and those.
local from, most = ARGV[1], tonumber(ARGV[2])
local SETS = {
  pending = 'queued', delayed = 'delayed', starting = 'lease', running = 'lease', orphaned = 'lease', dead = 'dead',
}

local function say_all(words, more)
  words[#words + 1] = tostring(#more)
  for _, word in ipairs(more) do
    words[#words + 1] = word
  end
end

local function say_entry(words, entry)
  local set = SETS[redis.call('HGET', job_key(entry), 'state')] or 'ended'
  words[#words + 1] = entry
  words[#words + 1] = set
  words[#words + 1] = redis.call('ZSCORE', P .. set, entry) or string.format('%d', now)
  say_all(words, redis.call('HGETALL', job_key(entry)))
end

local function job(id, state)
  local words = {id, state, tostring(redis.call('PTTL', job_key(id)))}
  say_all(words, redis.call('LRANGE', P .. 'events:' .. id, 0, -1))
  local entries = entries_of(id)
  words[#words + 1] = tostring(#entries)
  for _, entry in ipairs(entries) do
    say_entry(words, entry)
  end
  return words
end

local entries
if string.find(from, '^pending:') then
  entries = {}
  for _, id in ipairs(redis.call('LRANGE', P .. from, -most, -1)) do
    table.insert(entries, 1, id) -- the next to be served is the last
  end
else
  entries = redis.call('ZRANGE', P .. from, 0, most - 1)
end
local jobs, told = {}, {}
for _, entry in ipairs(entries) do
  local id = job_of(entry)
  local state, scope = unpack(redis.call('HMGET', job_key(id), 'state', 'scope'))
  -- What is left of an incomplete record can be neither worked on nor shown.
  if not told[id] and state and (scope or not SETS[state]) then
    told[id] = true
    jobs[#jobs + 1] = job(id, state)
  end
end
return {entries, jobs}
