//! Sets: members without order.

use redis::Value;
use rusqlite::params;

use super::{Arguments, Done, Tables, for_each};

pub(super) fn add(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    for_each(tables, arguments, "INSERT INTO member VALUES (?, ?) ON CONFLICT DO NOTHING")
}

pub(super) fn remove(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    for_each(tables, arguments, "DELETE FROM member WHERE key = ? AND member = ?")
}

pub(super) fn count(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    tables.number("SELECT count(*) FROM member WHERE key = ?", [arguments.key()?]).map(Value::Int)
}

pub(super) fn is(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let values = params![arguments.key()?, arguments.get(1)?];
    tables.number("SELECT EXISTS (SELECT 1 FROM member WHERE key = ? AND member = ?)", values).map(Value::Int)
}

pub(super) fn all(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let member = |row: &rusqlite::Row<'_>| row.get(0).map(Value::BulkString);
    tables.all("SELECT member FROM member WHERE key = ?", [arguments.key()?], member).map(Value::Array)
}
