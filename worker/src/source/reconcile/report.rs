//! What a round did, or would do.

use serde::Serialize;
use shared::{
    github::GithubError,
    model::{DeliveryId, JobId, PoolName, RepositoryName, RunnerName, Scope},
    telemetry::chain,
};

/// What a round did, or would do. Its JSON is what `worker reconcile --json` prints.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Deliveries that GitHub was asked to make again.
    pub redelivered: Vec<Redelivered>,
    /// Jobs that were put into the queue, for no webhook of theirs came.
    pub enqueued: Vec<Enqueued>,
    /// Records of jobs that go on without a runner that is to be made for them.
    pub closed: Vec<Closed>,
    /// Registrations that were deleted.
    pub deregistered: Vec<Deregistered>,
    /// What could not be looked at; the rest was.
    pub problems: Vec<Problem>,
    /// Why the round ended early, if it did: the next one goes on.
    pub halted: Option<String>,
}

impl Report {
    /// How much of each there is, by the words of the metric.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, usize); 4] {
        [
            ("redelivered", self.redelivered.len()),
            ("enqueued", self.enqueued.len()),
            ("closed", self.closed.len()),
            ("deregistered", self.deregistered.len()),
        ]
    }
}

/// A delivery.
#[derive(Clone, Debug, Serialize)]
pub struct Redelivered {
    /// Its GUID.
    pub delivery: DeliveryId,
    /// The hook, for people.
    pub hook: String,
    /// What it tells of, such as `queued`.
    pub action: String,
}

/// A job that was put into the queue.
#[derive(Clone, Debug, Serialize)]
pub struct Enqueued {
    /// GitHub's id of it.
    pub job: JobId,
    /// Its repository.
    pub repository: RepositoryName,
    /// Its pool.
    pub pool: PoolName,
}

/// A job's record that was closed.
#[derive(Clone, Debug, Serialize)]
pub struct Closed {
    /// GitHub's id of the job.
    pub job: JobId,
    /// Its repository.
    pub repository: RepositoryName,
    /// What GitHub says of it.
    pub reason: String,
}

/// A registration that was deleted.
#[derive(Clone, Debug, Serialize)]
pub struct Deregistered {
    /// The runner.
    pub runner: RunnerName,
    /// Where it was registered.
    pub scope: Scope,
}

/// Something that could not be looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problem {
    /// What it was and why, and what to do about it.
    pub text: String,
    /// The same of all problems with one cause, which need not be told more than once.
    #[serde(skip)]
    pub cause: String,
}

impl Problem {
    /// One that is like no other.
    pub(super) fn new(text: String) -> Self {
        Self { cause: text.clone(), text }
    }

    /// GitHub refuses something for good, in one step of the round: for want of one right, it may do so everywhere.
    pub(super) fn refused(step: &str, error: &GithubError) -> Self {
        let text = chain(error);
        let cause = error.lack().map_or_else(|| text.clone(), |lack| format!("{step}: {lack}"));
        Self { text, cause }
    }
}
