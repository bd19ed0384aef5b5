-- How many runners there may be: what an operator has set, or else what the pools' settings say; nil is no limit.

local function pool_limit()
  local set, configured = unpack(redis.call('HMGET', P .. 'limits', 'set:pool', 'pool'))
  return tonumber(set or configured or nil)
end

local function scope_limit(scope)
  local own, set, configured = unpack(redis.call('HMGET', P .. 'limits', 'set:scope:' .. scope, 'set:scope', 'scope'))
  return tonumber(own or set or configured or nil)
end

local function has_room(scope)
  local limit = scope_limit(scope)
  return not limit or redis.call('SCARD', P .. 'active:' .. scope) < limit
end
