-- What Redis would hold, a table for each of its types. Times are milliseconds since 1970, by this machine's clock.
CREATE TABLE string (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE INDEX string_by_expiry ON string (expires) WHERE expires IS NOT NULL;

CREATE TABLE hash (key BLOB NOT NULL, field BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (key, field)) WITHOUT ROWID;

CREATE TABLE zset (key BLOB NOT NULL, member BLOB NOT NULL, score REAL NOT NULL, PRIMARY KEY (key, member)) WITHOUT ROWID;
CREATE INDEX zset_by_score ON zset (key, score, member);

-- The first has the least position; those that are put before it have negative ones.
CREATE TABLE list (key BLOB NOT NULL, position INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (key, position)) WITHOUT ROWID;

CREATE TABLE member (key BLOB NOT NULL, member BLOB NOT NULL, PRIMARY KEY (key, member)) WITHOUT ROWID;

-- When a hash or a list is gone.
CREATE TABLE expiry (key BLOB NOT NULL PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX expiry_by_time ON expiry (at);
