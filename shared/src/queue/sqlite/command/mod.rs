//! The commands that the scripts and the queue use, each as Redis has it, of the forms that are used.

mod hash;
mod key;
mod list;
mod member;
mod string;
mod zset;

use std::str::FromStr;

use redis::Value;
use rusqlite::params;

use super::tables::{CommandError, Done, Tables};

pub(super) use key::forget_expired;

/// The arguments of a command, behind its name.
#[derive(Clone, Copy, Debug)]
struct Arguments<'a>(&'a [Vec<u8>]);

impl<'a> Arguments<'a> {
    fn len(self) -> usize {
        self.0.len()
    }

    fn get(self, place: usize) -> Done<&'a [u8]> {
        let argument = self.0.get(place);
        argument.map(Vec::as_slice).ok_or_else(|| CommandError::Wrong("an argument is missing".to_owned()))
    }

    /// What the command is about.
    fn key(self) -> Done<&'a [u8]> {
        self.get(0)
    }

    fn from(self, place: usize) -> &'a [Vec<u8>] {
        self.0.get(place..).unwrap_or_default()
    }

    fn number<T: FromStr>(self, place: usize) -> Done<T> {
        number(self.get(place)?)
    }

    fn is(self, place: usize, word: &str) -> bool {
        self.0.get(place).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Where a word is, from `place` on.
    fn find(self, place: usize, word: &str) -> Option<usize> {
        (place..self.len()).find(|at| self.is(*at, word))
    }
}

fn number<T: FromStr>(text: &[u8]) -> Done<T> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| CommandError::Wrong(format!("{} is no number", String::from_utf8_lossy(text))))
}

/// Changes rows for the key and each of the arguments from the second on, and says how many.
fn for_each(tables: &Tables, arguments: Arguments<'_>, sql: &str) -> Done<Value> {
    let key = arguments.key()?;
    let mut changed = 0;
    for argument in arguments.from(1) {
        changed += tables.run(sql, params![key, argument])?;
    }
    count(changed)
}

/// A count, as an answer.
#[allow(clippy::unnecessary_wraps, reason = "it ends commands, which all may fail")]
fn count(number: usize) -> Done<Value> {
    Ok(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// What there is, or nil.
fn bulk(value: Option<Vec<u8>>) -> Value {
    value.map_or(Value::Nil, Value::BulkString)
}

type Run = fn(&Tables, Arguments<'_>) -> Done<Value>;

/// Each command's name, whether it only reads, and what it does.
const COMMANDS: [(&str, bool, Run); 38] = [
    ("BZPOPMIN", false, zset::pop_first),
    ("DEL", false, key::del),
    ("EXISTS", true, key::exists),
    ("GET", true, string::get),
    ("HDEL", false, hash::del),
    ("HEXISTS", true, hash::exists),
    ("HGET", true, hash::get),
    ("HGETALL", true, hash::get_all),
    ("HINCRBY", false, hash::increase),
    ("HMGET", true, hash::get_many),
    ("HSET", false, hash::set),
    ("HSETNX", false, hash::set_new),
    ("INCR", false, string::increase),
    ("LLEN", true, list::len),
    ("LPOS", true, list::place),
    ("LPUSH", false, list::push_first),
    ("LRANGE", true, list::range),
    ("LREM", false, list::remove),
    ("LTRIM", false, list::trim),
    ("PERSIST", false, key::persist),
    ("PEXPIRE", false, key::expire),
    ("PING", false, key::ping),
    ("PTTL", true, key::time_left),
    ("RPOP", false, list::pop_last),
    ("RPUSH", false, list::push_last),
    ("SADD", false, member::add),
    ("SCAN", true, key::scan),
    ("SCARD", true, member::count),
    ("SET", false, string::set),
    ("SISMEMBER", true, member::is),
    ("SMEMBERS", true, member::all),
    ("SREM", false, member::remove),
    ("TIME", true, key::time),
    ("ZADD", false, zset::add),
    ("ZCARD", true, zset::count),
    ("ZRANGE", true, zset::range),
    ("ZREM", false, zset::remove),
    ("ZSCORE", true, zset::score),
];

fn find(command: &[Vec<u8>]) -> Option<&'static (&'static str, bool, Run)> {
    let name = command.first()?;
    COMMANDS.iter().find(|(known, ..)| known.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether a command changes nothing. One that is not known does not.
pub(super) fn only_reads(command: &[Vec<u8>]) -> bool {
    find(command).is_none_or(|(_, only_reads, _)| *only_reads)
}

/// Carries a command out.
pub(super) fn run(tables: &Tables, command: &[Vec<u8>]) -> Done<Value> {
    let Some((name, _, run)) = find(command) else {
        let name = command.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
        return Err(CommandError::Wrong(format!("there is no command {name}")));
    };
    run(tables, Arguments(&command[1..])).map_err(|error| match error {
        CommandError::Wrong(problem) => CommandError::Wrong(format!("{name}: {problem}")),
        error => error,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rusqlite::{
        StatementStatus,
        trace::{TraceEvent, TraceEventCodes},
    };

    use super::*;
    use crate::queue::sqlite::{connection::Use, file, place::Place};

    thread_local! {
        /// The statements that were planned anew.
        static AGAIN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn look(event: TraceEvent<'_>) {
        if let TraceEvent::Profile(statement, _) = event
            && statement.get_status(StatementStatus::RePrepare) > 0
        {
            AGAIN.with_borrow_mut(|again| again.push(statement.sql().into_owned()));
        }
    }

    #[test]
    fn a_statement_is_planned_once() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::parse(folder.path().join("q").to_str().unwrap()).unwrap();
        place.make().unwrap();
        let mut connection = file::open(&place, Use::Write).unwrap();
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(look)).unwrap();
        let tables = Tables { connection, woken: false.into() };
        for round in 0..3 {
            for command in [
                "SET s 1 NX PX 1000",
                "SET s 2",
                "GET s",
                "INCR s",
                "EXISTS s",
                "PTTL s",
                "HSET h f 1",
                "HSETNX h f 1",
                "HGET h f",
                "HMGET h f g",
                "HGETALL h",
                "HEXISTS h f",
                "HINCRBY h f 1",
                "PEXPIRE h 1000",
                "PERSIST h",
                "HDEL h f",
                "LPUSH l a",
                "RPUSH l b",
                "LRANGE l 0 -1",
                "LPOS l b RANK -1",
                "LLEN l",
                "LREM l -1 a",
                "RPOP l",
                "LTRIM l -5 -1",
                "SADD m a",
                "SISMEMBER m a",
                "SMEMBERS m",
                "SCARD m",
                "SREM m a",
                "ZADD z 1 a",
                "ZSCORE z a",
                "ZCARD z",
                "ZRANGE z 0 -1",
                "ZRANGE z 0 9 BYSCORE LIMIT 0 5",
                "ZREM z a",
                "SCAN 0 MATCH x* COUNT 10",
                "DEL s h l m z",
            ] {
                let parts: Vec<Vec<u8>> = command.split(' ').map(|part| part.as_bytes().to_vec()).collect();
                run(&tables, &parts).unwrap_or_else(|error| panic!("{command}: {error}"));
            }
            forget_expired(&tables).unwrap();
            AGAIN.with_borrow(|again| assert!(again.is_empty(), "round {round}: {again:#?}"));
        }
    }
}
