-- A time of the store's clock in words, to the second: 2026-01-31T10:00:00Z. Lua has no calendar here, so days are counted
-- from the first of March of the year 0, in eras of 400 years.
local function moment(ms)
  local seconds = math.floor(ms / 1000)
  local days = math.floor(seconds / 86400) + 719468
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153)
  local day = of_year - math.floor((153 * month + 2) / 5) + 1
  year = era * 400 + year + (month >= 10 and 1 or 0)
  month = month < 10 and month + 3 or month - 9
  local hour, minute = math.floor(seconds / 3600) % 24, math.floor(seconds / 60) % 60
  return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month, day, hour, minute, seconds % 60)
end
