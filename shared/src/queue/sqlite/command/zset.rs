//! Sorted sets: members in the order of their scores.

use redis::Value;
use rusqlite::params;

use super::{Arguments, CommandError, Done, Tables, bulk, count as counted, for_each};

/// What the names of markers end with: who sets one wakes the waiting.
const MARKER: &[u8] = b":wake";

/// `ZADD key [NX|XX] score member [score member …]`.
pub(super) fn add(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let key = arguments.key()?;
    let (sql, at) = if arguments.is(1, "NX") {
        ("INSERT INTO zset VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", 2)
    } else if arguments.is(1, "XX") {
        ("UPDATE zset SET score = ?3 WHERE key = ?1 AND member = ?2", 2)
    } else {
        ("INSERT INTO zset VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET score = excluded.score", 1)
    };
    if arguments.len() <= at || !(arguments.len() - at).is_multiple_of(2) {
        return Err(CommandError::Wrong("it takes a score with each member, and one at least".to_owned()));
    }
    let mut changed = 0;
    for score in (at..arguments.len()).step_by(2) {
        changed += tables.run(sql, params![key, arguments.get(score + 1)?, arguments.number::<f64>(score)?])?;
    }
    if key.ends_with(MARKER) {
        tables.woken.set(true);
    }
    counted(changed)
}

pub(super) fn remove(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    for_each(tables, arguments, "DELETE FROM zset WHERE key = ? AND member = ?")
}

pub(super) fn count(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    tables.number("SELECT count(*) FROM zset WHERE key = ?", [arguments.key()?]).map(Value::Int)
}

pub(super) fn score(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let values = params![arguments.key()?, arguments.get(1)?];
    let score: Option<f64> = tables.one("SELECT score FROM zset WHERE key = ? AND member = ?", values)?;
    Ok(bulk(score.map(|score| score.to_string().into_bytes())))
}

/// `ZRANGE key first last [REV] [WITHSCORES]`, or `ZRANGE key least most BYSCORE LIMIT 0 count [WITHSCORES]`, or the latter with
/// `most least` and `REV`.
pub(super) fn range(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let key = arguments.key()?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, f64>(1)?));
    let found = if arguments.find(3, "BYSCORE").is_some() {
        let most: i64 = match arguments.find(3, "LIMIT") {
            Some(limit) if arguments.is(limit + 1, "0") => arguments.number(limit + 2)?,
            _ => return Err(CommandError::Wrong("with BYSCORE it takes LIMIT 0 count here".to_owned())),
        };
        let (from, to): (f64, f64) = (arguments.number(1)?, arguments.number(2)?);
        if arguments.find(3, "REV").is_some() {
            let sql = "SELECT member, score FROM zset WHERE key = ? AND score BETWEEN ? AND ? \
                       ORDER BY score DESC, member DESC LIMIT ?";
            tables.all(sql, params![key, to, from, most], read)?
        } else {
            let sql =
                "SELECT member, score FROM zset WHERE key = ? AND score BETWEEN ? AND ? ORDER BY score, member LIMIT ?";
            tables.all(sql, params![key, from, to, most], read)?
        }
    } else {
        let (first, last): (i64, i64) = (arguments.number(1)?, arguments.number(2)?);
        if first < 0 || last < -1 {
            return Err(CommandError::Wrong("it counts from the front here".to_owned()));
        }
        let sql = if arguments.find(3, "REV").is_some() {
            "SELECT member, score FROM zset WHERE key = ? ORDER BY score DESC, member DESC LIMIT ? OFFSET ?"
        } else {
            "SELECT member, score FROM zset WHERE key = ? ORDER BY score, member LIMIT ? OFFSET ?"
        };
        let most = if last == -1 { -1 } else { (last - first + 1).max(0) };
        tables.all(sql, params![key, most, first], read)?
    };
    let with_scores = arguments.find(3, "WITHSCORES").is_some();
    Ok(Value::Array(found.into_iter().flat_map(|(member, score)| pair(member, score, with_scores)).collect()))
}

fn pair(member: Vec<u8>, score: f64, with_score: bool) -> impl Iterator<Item = Value> {
    let score = with_score.then(|| Value::BulkString(score.to_string().into_bytes()));
    std::iter::once(Value::BulkString(member)).chain(score)
}

/// Takes the first member of the first of these that has one: as `BZPOPMIN key… timeout`, but that it does not wait.
pub(super) fn pop_first(tables: &Tables, arguments: Arguments<'_>) -> Done<Value> {
    let sql = "DELETE FROM zset WHERE key = ?1 AND member = \
               (SELECT member FROM zset WHERE key = ?1 ORDER BY score, member LIMIT 1) RETURNING member";
    for place in 0..arguments.len() - 1 {
        let key = arguments.get(place)?;
        if let Some(member) = tables.one(sql, [key])? {
            return Ok(Value::Array(vec![Value::BulkString(key.to_vec()), Value::BulkString(member)]));
        }
    }
    Ok(Value::Nil)
}
