//! Lists: values in order.

use redis::Value;
use rusqlite::params;

use super::{Arguments, CommandError, Done, Tables, bulk, count};

const FIRST: &str = "SELECT min(position) FROM list WHERE key = ?";
const LAST: &str = "SELECT max(position) FROM list WHERE key = ?";

fn push(tables: &Tables, arguments: Arguments<'_>, end: &str, step: i64) -> Done<Value> {
    let key = arguments.key()?;
    let mut place = tables.one::<Option<i64>>(end, [key])?.flatten().unwrap_or(0);
    for value in arguments.from(1) {
        place += step;
        tables.run("INSERT INTO list VALUES (?, ?, ?)", params![key, place, value])?;
    }
    // Not, as Redis says, how many there are now: to count them takes long, and nobody asks.
    count(arguments.len() - 1)
}

pub(super) fn push_first(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    push(tables, arguments, FIRST, -1)
}

pub(super) fn push_last(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    push(tables, arguments, LAST, 1)
}

pub(super) fn pop_last(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let key = arguments.key()?;
    let sql = "DELETE FROM list WHERE key = ?1 AND position = (SELECT max(position) FROM list WHERE key = ?1) RETURNING value";
    Ok(bulk(tables.one(sql, [key])?))
}

/// The first value that is nearest to the end: `LREM key -1 value`.
pub(super) fn remove(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    if !arguments.is(1, "-1") {
        return Err(CommandError::Wrong("its count is -1 here".to_owned()));
    }
    let sql = "DELETE FROM list WHERE key = ?1 AND position = (SELECT position FROM list WHERE key = ?1 AND value = ?2 ORDER BY position DESC LIMIT 1)";
    count(tables.run(sql, params![arguments.key()?, arguments.get(2)?])?)
}

pub(super) fn len(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    tables.number("SELECT count(*) FROM list WHERE key = ?", [arguments.key()?]).map(Value::Int)
}

/// Where a value is, counted from the front, when it is looked for from the end: `LPOS key value RANK -1`.
pub(super) fn place(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    if !arguments.is(2, "RANK") || !arguments.is(3, "-1") {
        return Err(CommandError::Wrong("it looks from the end here".to_owned()));
    }
    let (key, value) = (arguments.key()?, arguments.get(1)?);
    let sql = "SELECT position FROM list WHERE key = ? AND value = ? ORDER BY position DESC LIMIT 1";
    let Some(position) = tables.one::<i64>(sql, params![key, value])? else { return Ok(Value::Nil) };
    let before = "SELECT count(*) FROM list WHERE key = ? AND position < ?";
    tables.number(before, params![key, position]).map(Value::Int)
}

/// All but the last: `LTRIM key -COUNT -1`.
pub(super) fn trim(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let from: i64 = arguments.number(1)?;
    if from >= 0 || !arguments.is(2, "-1") {
        return Err(CommandError::Wrong("it keeps the last values here".to_owned()));
    }
    let sql = "DELETE FROM list WHERE key = ?1 AND position <= \
               (SELECT position FROM list WHERE key = ?1 ORDER BY position DESC LIMIT 1 OFFSET ?2)";
    tables.run(sql, params![arguments.key()?, -from])?;
    Ok(Value::Okay)
}

/// The whole list, or its end: `LRANGE key 0 -1` or `LRANGE key -COUNT -1`.
pub(super) fn range(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let from: i64 = arguments.number(1)?;
    if from > 0 || !arguments.is(2, "-1") {
        return Err(CommandError::Wrong("it gives the whole list here, or its end".to_owned()));
    }
    let most = if from == 0 { -1 } else { -from };
    let sql = "SELECT value FROM list WHERE key = ? ORDER BY position DESC LIMIT ?";
    let mut values = tables.all(sql, params![arguments.key()?, most], |row| row.get(0).map(Value::BulkString))?;
    values.reverse();
    Ok(Value::Array(values))
}
