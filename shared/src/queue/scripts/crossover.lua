-- Opens a job again whose runner took another job. The runner keeps its slot under an entry of its own.
-- KEYS  1 the pool's prefix
-- ARGV  1 job id  2 the attempt that the runner was made for  3 the job that it took  4 once that job is completed: what is
--       to be said of it, or ''  5 how long a record is kept (ms)
-- Returns 'unknown', 'opened', 'before' when it was opened for this runner before, or 'kept' when it needs no runner,
-- has one, or waits for one.
return reopen(ARGV[1], ARGV[2], ARGV[3], ARGV[4] ~= '' and ARGV[4], ARGV[5])
