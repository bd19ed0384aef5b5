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
