//! What there is for keys of any type, and for none.

use redis::Value;
use rusqlite::params;

use super::{Arguments, CommandError, Done, Tables, count};

/// How many keys that have expired are taken out with one transaction.
const EXPIRED_MAX: u32 = 200;

/// Each table with a key's rows.
const DELETE: [&str; 6] = [
    "DELETE FROM string WHERE key = ?",
    "DELETE FROM hash WHERE key = ?",
    "DELETE FROM zset WHERE key = ?",
    "DELETE FROM list WHERE key = ?",
    "DELETE FROM member WHERE key = ?",
    "DELETE FROM expiry WHERE key = ?",
];

fn forget(tables: &Tables, key: &[u8]) -> Done<usize> {
    let mut gone = 0;
    for sql in DELETE {
        gone += tables.run(sql, [key])?;
    }
    Ok(gone)
}

/// Takes out what has expired: part of every transaction that writes.
pub(in super::super) fn forget_expired(tables: &Tables) -> Done<()> {
    let now = Tables::now();
    let values = params![now, EXPIRED_MAX];
    let key = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
    for key in tables.all("SELECT key FROM expiry WHERE at <= ? ORDER BY at LIMIT ?", values, key)? {
        forget(tables, &key)?;
    }
    let sql = "DELETE FROM string WHERE key IN (SELECT key FROM string WHERE expires <= ? ORDER BY expires LIMIT ?)";
    tables.run(sql, values).map(drop)
}

pub(super) fn del(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let mut gone = 0;
    for key in arguments.from(0) {
        gone += usize::from(forget(tables, key)? > 0);
    }
    count(gone)
}

pub(super) fn exists(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let sql = "SELECT EXISTS (SELECT 1 FROM hash WHERE key = ?1) OR EXISTS (SELECT 1 FROM zset WHERE key = ?1) \
               OR EXISTS (SELECT 1 FROM list WHERE key = ?1) OR EXISTS (SELECT 1 FROM member WHERE key = ?1) \
               OR EXISTS (SELECT 1 FROM string WHERE key = ?1 AND (expires IS NULL OR expires > ?2))";
    tables.number(sql, params![arguments.key()?, Tables::now()]).map(Value::Int)
}

/// Of hashes and lists: what else expires is a string, and gets its time when it is set.
pub(super) fn expire(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let key = arguments.key()?;
    let at = Tables::now().saturating_add(arguments.number(1)?);
    let sql = "INSERT OR REPLACE INTO expiry SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM hash WHERE key = ?1) \
               OR EXISTS (SELECT 1 FROM list WHERE key = ?1)";
    count(tables.run(sql, params![key, at])?)
}

pub(super) fn persist(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    count(tables.run("DELETE FROM expiry WHERE key = ?", [arguments.key()?])?)
}

/// The milliseconds that a key has left; -1 if it does not expire, and -2 if it is not there.
pub(super) fn time_left(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let (key, now) = (arguments.key()?, Tables::now());
    let sql =
        "SELECT at FROM expiry WHERE key = ?1 UNION ALL SELECT expires FROM string WHERE key = ?1 AND expires > ?2";
    if let Some(at) = tables.one::<i64>(sql, params![key, now])? {
        return Ok(Value::Int((at - now).max(0)));
    }
    let there = exists(tables, arguments)?;
    Ok(Value::Int(if there == Value::Int(1) { -1 } else { -2 }))
}

/// `SCAN cursor MATCH prefix* COUNT count`: the cursor is the last key that was given, and `0` at the beginning and the
/// end. Gives keys of every type but strings.
pub(super) fn scan(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    if !arguments.is(1, "MATCH") || !arguments.is(3, "COUNT") {
        return Err(CommandError::Wrong("it takes MATCH and COUNT here".to_owned()));
    }
    let prefix = prefix(arguments.get(2)?)?;
    let most: u32 = arguments.number(4)?;
    let after = if arguments.is(0, "0") { prefix.clone() } else { arguments.get(0)?.to_vec() };
    let mut keys = Vec::new();
    for table in ["hash", "zset", "list", "member"] {
        // A step from key to key, however many rows each has.
        let sql = format!(
            "WITH RECURSIVE keys (key) AS (SELECT min(key) FROM {table} WHERE key > ?1 UNION ALL \
             SELECT (SELECT min(key) FROM {table} WHERE key > keys.key) FROM keys WHERE keys.key IS NOT NULL) \
             SELECT key FROM keys WHERE key IS NOT NULL LIMIT ?2"
        );
        keys.extend(tables.all(&sql, params![after, most], |row| row.get::<_, Vec<u8>>(0))?);
    }
    keys.retain(|key| key.starts_with(&prefix));
    keys.sort();
    keys.dedup();
    let page = usize::try_from(most).unwrap_or(usize::MAX);
    keys.truncate(page);
    let cursor = keys.last().filter(|_| keys.len() == page).cloned().unwrap_or_else(|| b"0".to_vec());
    Ok(Value::Array(vec![Value::BulkString(cursor), Value::Array(keys.into_iter().map(Value::BulkString).collect())]))
}

/// What a pattern begins with that ends with a star, its only one.
fn prefix(pattern: &[u8]) -> Done<Vec<u8>> {
    let wrong = || CommandError::Wrong("its pattern is a prefix and a star here".to_owned());
    let mut prefix = Vec::new();
    let mut rest = pattern.strip_suffix(b"*").ok_or_else(wrong)?.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => prefix.push(*rest.next().ok_or_else(wrong)?),
            b'*' | b'?' | b'[' => return Err(wrong()),
            byte => prefix.push(*byte),
        }
    }
    Ok(prefix)
}

#[allow(clippy::unnecessary_wraps, reason = "it is a command")]
pub(super) fn time(_: &Tables, _: Arguments<'_>) -> Done<Value> {
    let now = Tables::now();
    let text = |number: i64| Value::BulkString(number.to_string().into_bytes());
    Ok(Value::Array(vec![text(now / 1000), text(now % 1000 * 1000)]))
}

#[allow(clippy::unnecessary_wraps, reason = "it is a command")]
pub(super) fn ping(_: &Tables, _: Arguments<'_>) -> Done<Value> {
    Ok(Value::SimpleString("PONG".to_owned()))
}
