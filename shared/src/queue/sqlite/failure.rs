//! What SQLite's failures mean for the queue.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::queue::QueueError;

/// Why a transaction, or a part of it, came to nothing. All that shared the transaction are told the same.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Another file is needed, or another program.
    Unsuitable(String),
    /// The jobs were moved to another store.
    Moved,
    /// It may work the next time.
    Passing(String),
}

impl Failure {
    /// What a failure of SQLite's is to the operator, who has to do something about it.
    pub(super) fn of(error: &Error, file: &Path) -> Self {
        let file = file.display();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Unsuitable(format!(
                "{file} is no database of SQLite's, or is encrypted; name another file in QUEUE_URL"
            )),
            Some(ErrorCode::DiskFull) => Self::Passing(format!(
                "{file} cannot grow, its disk is full; free some space: nothing is lost meanwhile"
            )),
            Some(ErrorCode::ReadOnly) => Self::Passing(format!(
                "{file} cannot be written ({error}): it, its folder and the files beside it must belong to the user that this runs as"
            )),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
                Self::Passing(format!("{file} cannot be opened: {error}"))
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Passing(format!("{file} is locked by another program: {error}"))
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                Self::Passing(format!("{file} is damaged ({error}): put a backup in its place, or move it away"))
            }
            _ => Self::Passing(format!("{file}: {error}")),
        }
    }
}

impl From<Failure> for QueueError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unsuitable(reason) => Self::Unsuitable(reason),
            Failure::Moved => Self::moved(),
            Failure::Passing(reason) => Self::store(reason),
        }
    }
}
