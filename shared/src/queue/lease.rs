//! A worker's claim on a job, and the ways it ends.

use std::time::Duration;

use super::{News, What};
use crate::model::{JobId, JobMessage, JobState, PoolName, WorkerName};

/// Names a lease: whoever holds it may tell the store of it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LeaseId {
    /// The job.
    pub job: JobId,
    /// Which of the job's runners it is for, from 1: part of the runner's name. A job has several leases at a time when its runner took
    /// another job.
    pub attempt: u64,
    /// Rises with every reservation and adoption of the job; the store refuses an older one.
    pub epoch: u64,
}

/// The right to work on a job, until it is settled or a beat is missed for the lease's length.
///
/// Not `Clone`, and settled by value: a job is settled once. Whoever drops a lease without settling it leaves it
/// to expire, and the job goes to another worker: that is the one recovery path.
#[derive(Debug)]
pub struct Lease {
    /// The job.
    pub job: JobMessage,
    /// Who holds it.
    pub(super) worker: WorkerName,
    /// Which of the job's runners it is for.
    pub(super) attempt: u64,
    /// Rises with every reservation and adoption of the job.
    pub(super) epoch: u64,
    /// How many attempts have failed.
    pub attempts: u32,
    /// How often it was replayed.
    pub replays: u32,
    /// How long the job had waited when it was leased, since it came or was replayed; by the store's clock.
    pub waited: Duration,
    /// Whether the job had been cancelled when the queue was last told of its progress. Beats tell of it as well.
    pub cancelled: bool,
    /// What has happened and is not on the record yet.
    pub(super) news: News,
}

/// What the holder of a lease can put back of its job, should the store lose it.
#[derive(Clone, Debug)]
pub struct Backup {
    pub(super) job: JobMessage,
    pub(super) worker: WorkerName,
    pub(super) attempts: u32,
    pub(super) replays: u32,
    pub(super) waited: Duration,
}

impl Lease {
    /// The job's id.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.job.job_id
    }

    /// What names this lease.
    #[must_use]
    pub fn id(&self) -> LeaseId {
        LeaseId { job: self.job_id(), attempt: self.attempt, epoch: self.epoch }
    }

    /// The job's pool.
    #[must_use]
    pub fn pool(&self) -> &PoolName {
        &self.job.pool
    }

    /// What could be put back of the job.
    #[must_use]
    pub fn backup(&self) -> Backup {
        let (job, worker) = (self.job.clone(), self.worker.clone());
        Backup { job, worker, attempts: self.attempts, replays: self.replays, waited: self.waited }
    }

    /// Notes what happened just now. It comes onto the record, with this time, when the queue is next told of the
    /// lease's progress or end, or of its [news](Self::news) by a beat.
    pub fn happened(&mut self, what: What, detail: impl Into<String>) {
        self.news.add(what, detail.into());
    }

    /// What is not on the record yet, for whoever keeps the lease alive.
    #[must_use]
    pub fn news(&self) -> News {
        self.news.clone()
    }
}

/// The answer to a request for the lease of a running container.
#[derive(Debug)]
pub enum Adoption {
    /// It is this worker's now.
    Adopted(Box<Lease>),
    /// It is not to be had: the job is in this state, or (`None`) not known.
    Refused(Option<JobState>),
}

/// The answer to a request for a job.
#[derive(Debug)]
pub enum Reserved {
    /// A job, to be worked on.
    Job(Box<Lease>),
    /// The pool's limit is reached: a settlement of one of its jobs wakes the waiting.
    Full,
    /// The pool's limit is not known, so nothing is started: no worker has told it yet, or the store has lost it. Whoever
    /// [tells it](super::Queue::set_limit) wakes the waiting.
    LimitUnknown,
    /// Nothing is due; the next delayed job is in this time.
    Empty {
        /// When the earliest delayed job is due, if there is one.
        next_due: Option<Duration>,
    },
    /// Nothing may be started for this long, for GitHub said so.
    Paused(Duration),
    /// The store stopped looking to keep the call short: call again at once.
    Again,
}

/// A runner without a job, in a scope for which its pool keeps warm ones, or did.
#[derive(Clone, Copy, Debug)]
pub struct IdleRunner {
    /// How many warm runners are wanted in its scope now.
    pub wanted: u32,
    /// Whether GitHub says that its own job does not wait for a runner. Of a warm runner it says nothing.
    pub job_is_gone: bool,
    /// Whether a new one would be another one, of another image.
    pub is_outdated: bool,
    /// Whether its worker has room for others.
    pub room: Room,
}

/// Whether a worker has room for another runner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// It has.
    Enough,
    /// It has not.
    None,
    /// It has not, and a job of another pool waits for it.
    Needed,
}

/// What becomes of a runner without a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Idle {
    /// The job that it was made for may wait for it.
    Own,
    /// It waits for whichever job comes.
    Stay,
    /// It is one too many, or in the way of a job, or outdated: it is to be retired.
    Go,
}

/// How a lease ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Settlement {
    /// The runner took a job and has ended: there is nothing left to do.
    Done {
        /// What is to be said of it, such as the result that the runner printed.
        detail: String,
    },
    /// The runner found no job for so long that it was retired. Should GitHub deliver the job again, it gets another one.
    Idle {
        /// What is to be said of it.
        detail: String,
    },
    /// The attempt failed: try again after a while. The attempt is charged; when that was the last one, the job becomes a dead
    /// letter with `error`.
    Retry {
        /// When to try again.
        delay: Duration,
        /// What failed.
        error: String,
    },
    /// It cannot succeed: a dead letter.
    Dead {
        /// What failed, and what to do about it.
        error: String,
    },
    /// GitHub wants it no more.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// GitHub's limits let nothing be done: try again after a while. No attempt is charged.
    Limited {
        /// When to try again.
        delay: Duration,
        /// Which limit it is.
        reason: String,
    },
    /// Not this job's fault: try again after a while. No attempt is charged.
    Release {
        /// When to try again; at once, and before all others of its scope, if zero.
        delay: Duration,
        /// What is waited for.
        reason: String,
    },
}

impl Settlement {
    /// Whether the job is tried again, unless that was its last attempt.
    #[must_use]
    pub const fn is_tried_again(&self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Limited { .. } | Self::Release { .. })
    }
}

/// What a beat told about the leases that were to be extended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Beat {
    /// These are held by nobody or by somebody else now: stop working on them.
    pub lost: Vec<LeaseId>,
    /// The jobs of these were cancelled.
    pub cancelled: Vec<LeaseId>,
    /// Whether the pool's limit is known.
    pub limit_known: bool,
}
