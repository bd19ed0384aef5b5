-- Adds to a job's record what GitHub said of it.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 delivery GUID  3 how long a GUID is remembered (ms)  4 detail
-- Returns 'unknown', 'delivery' for a GUID seen before, or 'recorded'.
return take_down(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
