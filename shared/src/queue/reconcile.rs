//! What is compared with GitHub, and what is kept in mind from one comparison to the next.

use std::time::Duration;

use crate::model::{JobId, JobState, PoolName, RepositoryName, Scope};

/// What a number is put down for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memo {
    /// Hooks, and when their deliveries were looked at.
    HookLooks,
    /// Hooks, and when the last delivery was made that was looked at: in milliseconds since 1970, by GitHub's clock.
    HookDeliveries,
    /// Repositories, and when their jobs were looked at.
    RepositoryLooks,
    /// Scopes, and when their runners were looked at.
    ScopeLooks,
    /// Runners that were found offline, and when that was first.
    Offline,
}

impl Memo {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::HookLooks => "hook_looks",
            Self::HookDeliveries => "hook_deliveries",
            Self::RepositoryLooks => "repository_looks",
            Self::ScopeLooks => "scope_looks",
            Self::Offline => "offline",
        }
    }
}

/// That GitHub was asked to make a delivery again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Redelivery {
    /// GitHub's id of the attempt that had failed.
    pub attempt: u64,
    /// How often it was asked to, for that delivery.
    pub times: u32,
}

/// How a job stands in the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// Its state.
    pub state: JobState,
    /// If it is done, for its runner has ended: how long ago that was. None once it is known that another runner had it, or that it was
    /// cancelled: only without either can GitHub have it in its queue still.
    pub done: Option<Duration>,
}

/// A job that waits, is delayed or is leased.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LiveJob {
    /// GitHub's id of it.
    pub id: JobId,
    /// Its pool.
    pub pool: PoolName,
    /// Its state.
    pub state: JobState,
    /// Its repository.
    pub repository: RepositoryName,
    /// Where its runner registers.
    pub scope: Scope,
    /// How long it has been in the queue, or since it was put back.
    pub age: Duration,
}
