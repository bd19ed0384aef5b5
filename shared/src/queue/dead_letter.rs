//! Which dead letters are meant.

use std::time::Duration;

use time::OffsetDateTime;

use super::JobRecord;
use crate::model::{JobId, Scope};

/// Which dead letters are meant: those that meet every condition that is set.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeadLetters {
    /// These jobs; all of them when empty.
    pub jobs: Vec<JobId>,
    /// Those whose last error has this text in it, in any case.
    pub error: Option<String>,
    /// Those of this scope.
    pub scope: Option<Scope>,
    /// Those that died at least so long ago.
    pub older_than: Option<Duration>,
    /// Those that died at most so long ago.
    pub newer_than: Option<Duration>,
}

impl DeadLetters {
    /// Whether a job's record is meant. `now` is the store's time.
    #[must_use]
    pub fn mean(&self, record: &JobRecord, now: OffsetDateTime) -> bool {
        let error = record.error.as_deref().unwrap_or_default().to_lowercase();
        // Without a time it is neither old nor new.
        let age = record.ended_at.map(|at| (now - at).unsigned_abs());
        (self.jobs.is_empty() || self.jobs.contains(&record.id))
            && self.error.as_deref().is_none_or(|text| error.contains(&text.to_lowercase()))
            && self.scope.as_ref().is_none_or(|scope| record.scope.as_ref() == Some(scope))
            && self.older_than.is_none_or(|least| age.is_some_and(|age| age >= least))
            && self.newer_than.is_none_or(|most| age.is_some_and(|age| age <= most))
    }
}
