//! Looks into a store past the queue, whose own client would wait for a store that is away, or try again.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params, params_from_iter};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// Where the entries of a pool are, each in one of these places.
const PLACES: [&str; 4] = ["queued", "delayed", "lease", "dead"];

/// Answers `LEASED BAD`: how many leases there are, and of how many entries it is not clear where they are: each is in one of
/// the places, and each lease is counted with its scope.
const LOOK_LUA: &str = "local P=KEYS[1] local bad=0 \
    local function at(id) local n=0 for _,k in ipairs({'queued','delayed','lease','dead'}) do \
        if redis.call('ZSCORE',P..k,id) then n=n+1 end end return n end \
    for _,k in ipairs({'delayed','lease','dead'}) do for _,id in ipairs(redis.call('ZRANGE',P..k,0,-1)) do \
        if at(id)>1 then bad=bad+1 end end end \
    local active=0 for _,s in ipairs(ARGV) do active=active+redis.call('SCARD',P..'active:'..s) end \
    local leased=redis.call('ZCARD',P..'lease') if active~=leased then bad=bad+1 end \
    return redis.status_reply(leased..' '..bad)";

/// Answers how many there are in sorted sets, at one moment.
const COUNT_LUA: &str =
    "local n=0 for _,k in ipairs(KEYS) do n=n+redis.call('ZCARD',k) end return redis.status_reply(tostring(n))";

/// What `LOOK_LUA` looks for, in a file: the entries in two places, and the leases by scope.
const LOOK_SQL: [&str; 2] = [
    "SELECT count(*) FROM (SELECT member FROM zset WHERE key IN (?1, ?2, ?3, ?4) GROUP BY member HAVING count(*) > 1)",
    "SELECT count(*) FROM member WHERE key >= ?1 AND key < ?2",
];

/// A connection of one's own.
#[derive(Debug)]
pub(crate) enum Probe {
    Redis(BufReader<TcpStream>),
    File(Connection),
}

impl Probe {
    pub(crate) fn redis(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        Ok(Self::Redis(BufReader::new(stream)))
    }

    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(io::Error::other)?;
        file.busy_timeout(ANSWER).map_err(io::Error::other)?;
        Ok(Self::File(file))
    }

    /// What is in a sorted set.
    pub(crate) fn members(&mut self, set: &str) -> io::Result<Vec<String>> {
        match self {
            Self::Redis(stream) => {
                let look = format!("EVAL \"return table.concat(redis.call('ZRANGE',KEYS[1],0,-1),' ')\" 1 {set}");
                let members = one(stream, &look)?.unwrap_or_default();
                Ok(members.split_whitespace().map(str::to_owned).collect())
            }
            Self::File(file) => {
                let mut members = file.prepare("SELECT member FROM zset WHERE key = ?").map_err(io::Error::other)?;
                let members = members.query_map([set.as_bytes()], |row| row.get(0)).map_err(io::Error::other)?;
                members
                    .map(|member| String::from_utf8(member.map_err(io::Error::other)?).map_err(io::Error::other))
                    .collect()
            }
        }
    }

    /// How many there are in some sorted sets together, at one moment.
    pub(crate) fn count(&mut self, sets: &[String]) -> io::Result<u64> {
        match self {
            Self::Redis(stream) => {
                let count = format!("EVAL \"{COUNT_LUA}\" {} {}", sets.len(), sets.join(" "));
                one(stream, &count)?.ok_or(io::ErrorKind::UnexpectedEof)?.parse().map_err(io::Error::other)
            }
            Self::File(file) => {
                let keys = vec!["CAST(? AS BLOB)"; sets.len()].join(", ");
                let count = format!("SELECT count(*) FROM zset WHERE key IN ({keys})");
                let number = file.query_row(&count, params_from_iter(sets), |row| row.get::<_, i64>(0));
                Ok(number.map_err(io::Error::other)?.unsigned_abs())
            }
        }
    }

    /// The states of jobs of a pool, in their order; nothing of those that are not known.
    pub(crate) fn states(&mut self, pool: &str, jobs: &[u64]) -> io::Result<Vec<Option<String>>> {
        match self {
            Self::Redis(stream) => {
                let asked = jobs.iter().map(|job| format!("HGET gha:{{{pool}}}:job:{job} state"));
                ask(stream, &asked.collect::<Vec<String>>())
            }
            Self::File(file) => {
                let sql = "SELECT value FROM hash WHERE key = ? AND field = CAST('state' AS BLOB)";
                let mut state = file.prepare(sql).map_err(io::Error::other)?;
                let mut read = |job: &u64| {
                    let key = format!("gha:{{{pool}}}:job:{job}");
                    let state: Option<Vec<u8>> = state.query_row([key.as_bytes()], |row| row.get(0)).optional()?;
                    Ok(state.map(|state| String::from_utf8_lossy(&state).into_owned()))
                };
                let states: rusqlite::Result<_> = jobs.iter().map(&mut read).collect();
                states.map_err(io::Error::other)
            }
        }
    }

    /// How many leases a pool has, and of how many entries it is not clear where they are.
    pub(crate) fn look(&mut self, pool: &str, scopes: &[String]) -> io::Result<(u64, u64)> {
        match self {
            Self::Redis(stream) => {
                let look = format!("EVAL \"{LOOK_LUA}\" 1 gha:{{{pool}}}: {}", scopes.join(" "));
                let answer = one(stream, &look)?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let (leased, bad) = answer.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
                Ok((leased.parse().map_err(io::Error::other)?, bad.parse().map_err(io::Error::other)?))
            }
            Self::File(file) => look(file, pool).map_err(io::Error::other),
        }
    }
}

/// All of it at one moment.
fn look(file: &mut Connection, pool: &str) -> rusqlite::Result<(u64, u64)> {
    let moment = file.transaction()?;
    let key = |name: &str| format!("gha:{{{pool}}}:{name}").into_bytes();
    let [first, second, third, fourth] = PLACES.map(key);
    let number = |sql: &str, values: &[&dyn rusqlite::ToSql]| moment.query_row(sql, values, |row| row.get::<_, i64>(0));
    let twice = number(LOOK_SQL[0], params![first, second, third, fourth])?;
    let active = number(LOOK_SQL[1], params![key("active:"), key("active;")])?;
    let leased = number("SELECT count(*) FROM zset WHERE key = ?", params![key("lease")])?;
    Ok((leased.unsigned_abs(), twice.unsigned_abs() + u64::from(active != leased)))
}

/// Sends commands, each a line of text, and returns their answers: of each its text or number; nothing for a nil.
fn ask(stream: &mut BufReader<TcpStream>, commands: &[String]) -> io::Result<Vec<Option<String>>> {
    let text: String = commands.iter().flat_map(|command| [command, "\r\n"]).collect();
    stream.get_mut().write_all(text.as_bytes())?;
    commands.iter().map(|_| answer(stream)).collect()
}

fn one(stream: &mut BufReader<TcpStream>, command: &str) -> io::Result<Option<String>> {
    Ok(ask(stream, &[command.to_owned()])?.remove(0))
}

fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let line = line(stream)?;
    match line.split_at_checked(1) {
        Some(("+" | ":", rest)) => Ok(Some(rest.to_owned())),
        Some(("$", "-1")) => Ok(None),
        Some(("$", length)) => {
            let mut text = vec![0; length.parse::<usize>().map_err(io::Error::other)? + 2];
            stream.read_exact(&mut text)?;
            text.truncate(text.len() - 2);
            String::from_utf8(text).map(Some).map_err(io::Error::other)
        }
        _ => Err(io::Error::other(line)),
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
