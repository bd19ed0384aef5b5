-- Keeps a record of a job that no pool takes, so that somebody can ask why it waits.
-- KEYS  1 the prefix of unmatched jobs
-- ARGV  1 job id  2 repository  3 labels (JSON)  4 the reason's word  5 detail  6 how long to keep it (ms)
redis.call('HSET', job_key(ARGV[1]), 'state', 'unmatched', 'repo', ARGV[2], 'labels', ARGV[3], 'why', ARGV[4], 'enq', now)
event(ARGV[1], 'unmatched', ARGV[5])
expire(ARGV[1], ARGV[6])
return 1
