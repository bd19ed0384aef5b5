//! Hashes: fields and their values.

use redis::Value;
use rusqlite::params;

use super::{Arguments, Done, Tables, bulk, count, for_each, number};

const GET: &str = "SELECT value FROM hash WHERE key = ? AND field = ?";
const SET: &str = "INSERT INTO hash VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value";

pub(super) fn get(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    Ok(bulk(tables.one(GET, params![arguments.key()?, arguments.get(1)?])?))
}

pub(super) fn get_many(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let key = arguments.key()?;
    let field = |field| Ok(bulk(tables.one(GET, params![key, field])?));
    arguments.from(1).iter().map(field).collect::<Done<_>>().map(Value::Array)
}

pub(super) fn get_all(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let pairs = tables.all("SELECT field, value FROM hash WHERE key = ?", [arguments.key()?], |row| {
        Ok([Value::BulkString(row.get(0)?), Value::BulkString(row.get(1)?)])
    })?;
    Ok(Value::Array(pairs.into_iter().flatten().collect()))
}

pub(super) fn exists(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let values = params![arguments.key()?, arguments.get(1)?];
    tables.number("SELECT EXISTS (SELECT 1 FROM hash WHERE key = ? AND field = ?)", values).map(Value::Int)
}

/// Says how many fields were set, and not, as Redis does, how many of them are new.
pub(super) fn set(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let key = arguments.key()?;
    let mut set = 0;
    for place in (1..arguments.len()).step_by(2) {
        set += tables.run(SET, params![key, arguments.get(place)?, arguments.get(place + 1)?])?;
    }
    count(set)
}

pub(super) fn set_new(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let values = params![arguments.key()?, arguments.get(1)?, arguments.get(2)?];
    count(tables.run("INSERT INTO hash VALUES (?, ?, ?) ON CONFLICT DO NOTHING", values)?)
}

pub(super) fn increase(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let (key, field) = (arguments.key()?, arguments.get(1)?);
    let old: Option<Vec<u8>> = tables.one(GET, params![key, field])?;
    let new = old.map_or(Ok(0), |old| number::<i64>(&old))?.saturating_add(arguments.number(2)?);
    tables.run(SET, params![key, field, new.to_string().as_bytes()])?;
    Ok(Value::Int(new))
}

pub(super) fn del(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    for_each(tables, arguments, "DELETE FROM hash WHERE key = ? AND field = ?")
}
