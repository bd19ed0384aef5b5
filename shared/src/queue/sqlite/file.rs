//! How a file is opened.

use std::{os::unix::fs::MetadataExt as _, thread::sleep, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{connection::Use, failure::Failure, place::Place, schema};

/// How often a lock is asked for that another process has, which holds it for some milliseconds at a time.
const BUSY_LOOK: Duration = Duration::from_micros(500);

/// How often it is asked for at most: for a second, and somewhat longer where the machine is busy.
const BUSY_LOOKS: i32 = 2000;

/// How much of the file is kept in memory at most, in KiB: by who writes, and by who only reads. With less, operations take
/// longer where a hundred thousand jobs wait.
const CACHE_KIB: [i64; 2] = [16 * 1024, 4 * 1024];

/// To how much the log of changes is cut back once all of it is in the file, in bytes.
const LOG_MAX: i64 = 64 * 1024 * 1024;

/// How many statements are kept ready: more than the commands have.
const STATEMENTS: usize = 100;

/// Opens the file, which is [there](Place::make), with the tables that this program knows.
pub(super) fn open(place: &Place, what_for: Use) -> Result<Connection, Failure> {
    let failed = |error: rusqlite::Error| Failure::of(&error, place.path());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(place.path(), flags).map_err(failed)?;
    connection.busy_handler(Some(look_again)).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise a statement whose plan might be a better one with another value, such as that behind LIMIT, is planned anew for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        let path = place.path().display();
        return Err(Failure::Unsuitable(format!(
            "{path} cannot be shared by processes there (its journal stays in mode {mode})"
        )));
    }
    let settings = [("cache_size", -CACHE_KIB[usize::from(what_for == Use::Read)]), ("journal_size_limit", LOG_MAX)];
    connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
    for (setting, number) in settings {
        connection.pragma_update(None, setting, number).map_err(failed)?;
    }
    schema::migrate(&mut connection).map_err(|error| error.of(place.path()))?;
    if what_for == Use::Read {
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
    }
    Ok(connection)
}

fn look_again(looks: i32) -> bool {
    sleep(BUSY_LOOK);
    looks < BUSY_LOOKS
}

/// What tells the file from another that has taken its place, or from none.
pub(super) fn identity(place: &Place) -> Option<(u64, u64)> {
    std::fs::metadata(place.path()).ok().map(|file| (file.dev(), file.ino()))
}
