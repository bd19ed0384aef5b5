//! What is in the store, read past the queue.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf};

use devstack::harness::RedisServer;
use redis::{Client, Script, aio::MultiplexedConnection};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::store::Keys;

/// Everything of the pools but what the records tell, as JSON: each key by its name, as a map.
const READ: &str = r"
local function map(key)
  local kind, map, flat = redis.call('TYPE', key).ok, {}, {}
  if kind == 'hash' then
    flat = redis.call('HGETALL', key)
  elseif kind == 'zset' then
    flat = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'set' then
    for _, member in ipairs(redis.call('SMEMBERS', key)) do map[member] = '' end
  elseif kind == 'list' then
    for place, id in ipairs(redis.call('LRANGE', key, 0, -1)) do map['#' .. place] = id end
  end
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return next(map) and map
end
local pools = {}
for pool, prefix in ipairs(KEYS) do
  pools[pool] = {ttl = {}}
  for _, key in ipairs(redis.call('KEYS', prefix .. '*')) do
    local name = string.sub(key, #prefix + 1)
    local expires = string.match(name, '^job:') or string.match(name, '^events:')
    if expires then pools[pool].ttl[name] = tostring(redis.call('PTTL', key)) end
    if not string.match(name, '^events:') then pools[pool][name] = map(key) end
  end
end
return cjson.encode(pools)";

/// The same of a file: the type of each row's key, the key, the member, field or place, and what belongs to it.
const ROWS: &str = "
    SELECT key, field, value FROM hash WHERE key >= ?1 AND key < ?2 AND NOT instr(key, 'events:')
    UNION ALL SELECT key, member, cast(cast(score AS INTEGER) AS TEXT) FROM zset WHERE key >= ?1 AND key < ?2
    UNION ALL SELECT key, member, '' FROM member WHERE key >= ?1 AND key < ?2
    UNION ALL SELECT key, '#' || row_number() OVER (PARTITION BY key ORDER BY position), value FROM list
        WHERE key >= ?1 AND key < ?2 AND NOT instr(key, 'events:')
    UNION ALL SELECT CAST(?1 || 'ttl' AS BLOB), substr(keys.key, length(?1) + 1), coalesce(expiry.at, -1)
        FROM (SELECT DISTINCT key FROM hash UNION SELECT DISTINCT key FROM list) AS keys LEFT JOIN expiry USING (key)
        WHERE keys.key >= ?1 AND keys.key < ?2 AND (instr(keys.key, ':job:') OR instr(keys.key, ':events:'))";

#[allow(dead_code, reason = "each of the programs that share this has one of them")]
/// What keeps the queue, through all the sequences of operations.
pub(crate) enum Kept {
    Redis(RedisServer),
    /// Each sequence in a folder of its own: the threads of the one before may still be closing its file.
    Sqlite(RefCell<TempDir>),
}

impl Kept {
    /// The address of an empty store.
    pub(crate) fn empty(&self) -> String {
        match self {
            Self::Redis(redis) => {
                redis.flush().unwrap();
                redis.url()
            }
            Self::Sqlite(folder) => {
                *folder.borrow_mut() = tempfile::tempdir().unwrap();
                format!("sqlite:{}", file(&folder.borrow()).display())
            }
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("queue.db")
}

pub(crate) enum Look {
    Redis(MultiplexedConnection, Script),
    Sqlite(Connection),
}

impl Look {
    pub(crate) async fn into(kept: &Kept) -> Self {
        match kept {
            Kept::Redis(redis) => {
                let client = Client::open(redis.url()).unwrap();
                Self::Redis(client.get_multiplexed_async_connection().await.unwrap(), Script::new(READ))
            }
            Kept::Sqlite(folder) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                Self::Sqlite(Connection::open_with_flags(file(&folder.borrow()), flags).unwrap())
            }
        }
    }

    /// The keys of each pool.
    pub(crate) async fn read(&self, prefixes: [&str; 2]) -> [Keys; 2] {
        match self {
            Self::Redis(connection, script) => {
                let mut read = script.prepare_invoke();
                read.key(prefixes[0]).key(prefixes[1]);
                let json: String = read.invoke_async(&mut connection.clone()).await.unwrap();
                serde_json::from_str(&json).unwrap()
            }
            Self::Sqlite(connection) => prefixes.map(|prefix| rows(connection, prefix)),
        }
    }
}

fn rows(connection: &Connection, prefix: &str) -> Keys {
    let end = format!("{};", prefix.strip_suffix(':').unwrap());
    let mut rows = connection.prepare_cached(ROWS).unwrap();
    let text = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Blob(bytes) => String::from_utf8(bytes).unwrap(),
        rusqlite::types::Value::Text(text) => text,
        rusqlite::types::Value::Integer(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let read = |row: &rusqlite::Row<'_>| Ok((text(row.get(0)?), text(row.get(1)?), text(row.get(2)?)));
    let mut keys: BTreeMap<String, Value> = BTreeMap::from([("ttl".to_owned(), Value::Object(Map::new()))]);
    for row in rows.query_map([prefix.as_bytes(), end.as_bytes()], read).unwrap() {
        let (key, member, value) = row.unwrap();
        let of_key =
            keys.entry(key.strip_prefix(prefix).unwrap().to_owned()).or_insert_with(|| Value::Object(Map::new()));
        of_key.as_object_mut().unwrap().insert(member, Value::String(value));
    }
    Keys(keys)
}
