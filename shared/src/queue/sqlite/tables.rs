//! The tables of the file, as the commands use them.

use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension as _, Params, Row, types::FromSql};

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// It is none that is known, or not in this form: a mistake in a script.
    #[error("{0}")]
    Wrong(String),
    /// A script answered with an error: its first word is the error's code.
    #[error("{0}")]
    Refused(String),
}

/// What a command comes to.
pub(super) type Done<T> = Result<T, CommandError>;

/// The tables. What is done to them is part of the transaction that is open.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) connection: Connection,
    /// Whether a marker was set, so that whoever waits is to be woken once all is committed.
    pub(super) woken: Cell<bool>,
}

impl Tables {
    /// The time in milliseconds since 1970.
    pub(super) fn now() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Changes rows, and says how many.
    pub(super) fn run(&self, sql: &str, values: impl Params) -> Done<usize> {
        Ok(self.connection.prepare_cached(sql)?.execute(values)?)
    }

    /// The first column of the first row.
    pub(super) fn one<T: FromSql>(&self, sql: &str, values: impl Params) -> Done<Option<T>> {
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?)
    }

    /// A number that there always is.
    pub(super) fn number(&self, sql: &str, values: impl Params) -> Done<i64> {
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// All rows.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Done<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
