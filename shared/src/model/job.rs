//! A workflow job: what the queue carries from `ingest` to `worker`, and the states it goes through.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeliveryId, Invalid, JobId, JobTrace, Labels, Pool, PoolName, RepositoryName, Scope};

/// What a worker needs to know of a queued job. This is the queue's message: fields may be
/// added with a default, never renamed, for old messages outlive an upgrade.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct JobMessage {
    /// GitHub's id of the job.
    pub job_id: JobId,
    /// The workflow run that the job belongs to.
    pub run_id: u64,
    /// Which attempt of that run, from 1.
    pub run_attempt: u32,
    /// The job's name, as the workflow gives it. Any text, cut to 256 characters.
    pub name: String,
    /// The workflow's name, if it has one; cut to 256 characters.
    #[serde(default)]
    pub workflow: Option<String>,
    /// The job's page at GitHub.
    #[serde(default)]
    pub html_url: Option<String>,
    /// The repository whose workflow it is; none for a warm runner.
    #[serde(default)]
    pub repository: Option<RepositoryName>,
    /// Where its runner registers.
    pub scope: Scope,
    /// The labels of `runs-on`.
    pub labels: Labels,
    /// The pool that the job was matched to.
    pub pool: PoolName,
    /// The GitHub App's installation that the delivery came through, if it came through one.
    #[serde(default)]
    pub installation_id: Option<u64>,
    /// The delivery that brought the job.
    pub delivery: DeliveryId,
    /// Where its trace begins; none for a warm runner, and for a job that a process without traces has stored.
    #[serde(default, deserialize_with = "super::trace::readable")]
    pub trace: Option<JobTrace>,
}

impl JobMessage {
    /// What stands in a job's place for a warm runner of `pool`.
    #[must_use]
    pub fn warm(id: JobId, pool: &Pool, scope: Scope) -> Self {
        Self {
            job_id: id,
            run_id: 0,
            run_attempt: 0,
            name: "warm runner".to_owned(),
            workflow: None,
            html_url: None,
            repository: None,
            scope,
            labels: pool.labels.clone(),
            pool: pool.name.clone(),
            installation_id: None,
            delivery: DeliveryId::none_for(id),
            trace: None,
        }
    }

    /// What its trace is called.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.trace.as_ref().map(|trace| trace.traceparent.trace_id())
    }
}

/// The state of a job's record.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waits for a slot.
    Pending,
    /// A worker holds its lease and prepares a runner.
    Starting,
    /// Its runner's container was started.
    Running,
    /// Its worker fell silent while the runner's container was up; the slot is held for it.
    Orphaned,
    /// Waits for a time: a retry after a failure, or the end of a rate limit.
    Delayed,
    /// Given up. Stays until it is replayed or dropped.
    Dead,
    /// Its runner has ended after taking a job.
    Done,
    /// Cancelled, at GitHub or by an operator.
    Cancelled,
    /// No pool takes it.
    Unmatched,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Starting,
        Self::Running,
        Self::Orphaned,
        Self::Delayed,
        Self::Dead,
        Self::Done,
        Self::Cancelled,
        Self::Unmatched,
    ];

    /// The word for it, in records and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Orphaned => "orphaned",
            Self::Delayed => "delayed",
            Self::Dead => "dead",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Unmatched => "unmatched",
        }
    }

    /// Whether a worker's lease stands behind it, which takes one of the pool's slots.
    #[must_use]
    pub const fn is_leased(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Orphaned)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let state = Self::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or_else(|| Invalid::new("a job's state", format!("is none called {text:?}")))
    }
}
