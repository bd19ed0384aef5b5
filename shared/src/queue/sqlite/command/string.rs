//! Strings: a key and its value, for a time.

use redis::Value;
use rusqlite::params;

use super::{Arguments, CommandError, Done, Tables, bulk, number};

/// `SET key value [NX] [PX milliseconds]`.
pub(super) fn set(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let now = Tables::now();
    let expires = match arguments.find(2, "PX") {
        Some(place) => Some(now.saturating_add(arguments.number(place + 1)?)),
        None => None,
    };
    let values = params![arguments.key()?, arguments.get(1)?, expires];
    let sql = if arguments.is(2, "NX") {
        tables.run("DELETE FROM string WHERE key = ? AND expires <= ?", params![arguments.key()?, now])?;
        "INSERT INTO string VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    } else {
        "INSERT OR REPLACE INTO string VALUES (?, ?, ?)"
    };
    Ok(if tables.run(sql, values)? == 0 { Value::Nil } else { Value::Okay })
}

fn value(tables: &Tables, key: &[u8]) -> Done<Option<Vec<u8>>> {
    let sql = "SELECT value FROM string WHERE key = ? AND (expires IS NULL OR expires > ?)";
    tables.one(sql, params![key, Tables::now()])
}

pub(super) fn get(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    Ok(bulk(value(tables, arguments.key()?)?))
}

pub(super) fn increase(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let key = arguments.key()?;
    let old = value(tables, key)?.map_or(Ok(0), |old| number::<i64>(&old))?;
    let new = old.checked_add(1).ok_or_else(|| CommandError::Wrong("it is full".to_owned()))?;
    tables.run("INSERT OR REPLACE INTO string VALUES (?, ?, NULL)", params![key, new.to_string().as_bytes()])?;
    Ok(Value::Int(new))
}
