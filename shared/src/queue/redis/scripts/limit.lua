-- How many runners there may be: what an operator has set, or else what the pools' settings say. 0 is no limit.

local function pool_limit()
  local set, configured = unpack(redis.call('HMGET', P .. 'limits', 'set:pool', 'pool'))
  return tonumber(set or configured or 0)
end

local function scope_limit(scope)
  local own, set, configured = unpack(redis.call('HMGET', P .. 'limits', 'set:scope:' .. scope, 'set:scope', 'scope'))
  return tonumber(own or set or configured or 0)
end

local function has_room(scope)
  local limit = scope_limit(scope)
  return limit == 0 or redis.call('SCARD', P .. 'active:' .. scope) < limit
end
