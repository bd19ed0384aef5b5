//! What `ingest` puts into the queue, and what became of it.

use crate::model::{DeliveryId, JobId, JobState, Labels, RepositoryName};

/// What became of a job that was to be enqueued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enqueued {
    /// It is in the queue, and on disk as far as the store is told to write at once.
    Stored,
    /// This delivery was stored before.
    DuplicateDelivery,
    /// The job was stored before, by another delivery, and is in this state now. That may be
    /// [`Cancelled`](JobState::Cancelled): its `completed` came before its `queued`.
    DuplicateJob(JobState),
}

impl Enqueued {
    /// Whether there is nothing new in the queue.
    #[must_use]
    pub const fn is_duplicate(self) -> bool {
        !matches!(self, Self::Stored)
    }
}

/// What became of a job that was to be cancelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CancelOutcome {
    /// It was waiting and is cancelled; it will not be started.
    Cancelled,
    /// A worker holds it, and learns of it at its next beat.
    Flagged,
    /// It is not known; should its `queued` come after all, it is not run.
    Tombstone,
    /// It has ended before, in this state.
    Ended(JobState),
    /// This delivery was dealt with before.
    DuplicateDelivery,
}

/// What became of a note for a job's record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Noted {
    /// It is on the record.
    Recorded,
    /// There is no record of that job.
    Unknown,
    /// This delivery was noted before.
    DuplicateDelivery,
}

/// A job that no pool takes. Its record tells whoever asks why it waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unmatched {
    /// GitHub's id of the job.
    pub job_id: JobId,
    /// The job's repository.
    pub repository: RepositoryName,
    /// The labels it demands.
    pub labels: Labels,
    /// The delivery that brought it.
    pub delivery: DeliveryId,
    /// One of the contract's words: `no_matching_pool` or `scope_not_allowed`.
    pub reason: &'static str,
    /// What is missing where, for people.
    pub detail: String,
}

/// Whose runner GitHub gave a job to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServedBy {
    /// One of ours, made for that very job.
    Own {
        /// Which of the job's runners.
        attempt: u64,
    },
    /// One of ours, made for another job.
    Other {
        /// The job that it was made for.
        job: JobId,
        /// Which of that job's runners.
        attempt: u64,
    },
    /// Somebody else's.
    Foreign,
}

/// That a job runs, or ran.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The job.
    pub job: JobId,
    /// The runner's name.
    pub runner: &'a str,
    /// Whose it is.
    pub by: ServedBy,
    /// Whether the job is completed.
    pub completed: bool,
    /// The delivery that says so.
    pub delivery: &'a DeliveryId,
    /// What is to be said of it on the record.
    pub detail: &'a str,
}
