-- A job's entries: its own, and those of its runners that took other jobs and have not ended yet (reopen.lua).
local function entries_of(id)
  local entries, fields = {id}, redis.call('HGETALL', job_key(id))
  for i = 1, #fields, 2 do
    local attempt = string.match(fields[i], '^lent:(%d+)$')
    if attempt and redis.call('HEXISTS', job_key(id .. '~' .. attempt), 'scope') == 1 then
      entries[#entries + 1] = id .. '~' .. attempt
    end
  end
  return entries
end
