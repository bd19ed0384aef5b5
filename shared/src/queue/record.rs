//! A job's record: everything that happened to it, with a time and a reason.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::model::{JobId, JobState, Labels, PoolName, RepositoryName, RunnerName, Scope, WorkerName};

/// What can happen to a job. The words are part of the records, so none is ever renamed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// GitHub's delivery of it was stored.
    Delivered,
    /// No pool takes it.
    Unmatched,
    /// A worker holds it.
    Reserved,
    /// Its runner is registered at GitHub.
    Registered,
    /// Its container was created.
    Created,
    /// Its container was started.
    Started,
    /// Its runner waits for a job.
    Listening,
    /// Its runner works on a job.
    Running,
    /// Its container has ended.
    Exited,
    /// Its container was removed.
    Removed,
    /// Its container is kept for a while, for its runner failed.
    Kept,
    /// An attempt failed, and another follows.
    Retrying,
    /// It waits for something that is not its fault.
    Waiting,
    /// It waits until GitHub's limits let its runner be registered.
    RateLimited,
    /// It was given up.
    Dead,
    /// It is done.
    Done,
    /// It was cancelled.
    Cancelled,
    /// Its worker fell silent.
    WorkerLost,
    /// A worker took over its running container.
    Adopted,
    /// GitHub said something about it.
    Noted,
    /// Its runner took another job, so it waits again.
    Reopened,
    /// It was a dead letter and was put back.
    Replayed,
    /// It was a dead letter and was taken out.
    Dropped,
}

impl What {
    /// The word for it, in records and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Unmatched => "unmatched",
            Self::Reserved => "reserved",
            Self::Registered => "registered",
            Self::Created => "created",
            Self::Started => "started",
            Self::Listening => "listening",
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Removed => "removed",
            Self::Kept => "kept",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::RateLimited => "rate_limited",
            Self::Dead => "dead",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::WorkerLost => "worker_lost",
            Self::Adopted => "adopted",
            Self::Noted => "noted",
            Self::Reopened => "reopened",
            Self::Replayed => "replayed",
            Self::Dropped => "dropped",
        }
    }
}

/// One thing that happened to a job.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Event {
    /// When, by the store's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What. A word that this version does not know is kept as it is.
    pub what: String,
    /// Why, or with what; for people.
    pub detail: String,
}

/// How a runner's container ended, written down before the container was removed.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct PostMortem {
    /// The runner.
    pub runner: RunnerName,
    /// What came of it, for people.
    pub outcome: String,
    /// The exit code; that of a runner says nearly nothing.
    pub exit_code: i64,
    /// Whether the container's memory was used up.
    pub oom: bool,
    /// The signal that ended it, as its exit code has it.
    pub signal: Option<u8>,
    /// How long it ran, by the engine's clock.
    pub seconds: Option<u64>,
    /// The digest of its image, as the engine has it: the same digest is the same content.
    pub image: Option<String>,
    /// The last lines that it printed, without secrets, if it failed: at most [`LINES_MAX`](Self::LINES_MAX), and
    /// [`BYTES_MAX`](Self::BYTES_MAX) of JSON.
    pub log: Vec<String>,
}

impl PostMortem {
    /// How many lines are kept.
    pub const LINES_MAX: usize = 200;

    /// How many bytes they may have, as they are written in JSON: of longer ones, fewer are kept.
    pub const BYTES_MAX: usize = 32 * 1024;
}

/// Everything that is known of a job. Its JSON is the contract's, on the command line and in the API alike.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct JobRecord {
    /// GitHub's id of the job.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// The last thing that happened to it, for people.
    pub reason: String,
    /// Its pool; none if no pool takes it.
    pub pool: Option<PoolName>,
    /// Where its runner registers.
    pub scope: Option<Scope>,
    /// Its repository.
    pub repository: Option<RepositoryName>,
    /// Its name, as the workflow gives it; none of one that no pool takes. Any text.
    pub name: Option<String>,
    /// The name of its workflow. Any text.
    pub workflow: Option<String>,
    /// Its page at GitHub, as a delivery gave it. Any text.
    pub html_url: Option<String>,
    /// The labels it demands.
    pub labels: Labels,
    /// How many attempts have failed.
    pub attempts: u32,
    /// How often it was replayed.
    pub replays: u32,
    /// The last error, if there was one.
    pub error: Option<String>,
    /// The first error, if there was one: replays and later errors leave it.
    pub first_error: Option<String>,
    /// The runner that was started for it last.
    pub runner: Option<RunnerName>,
    /// The worker that held it last.
    pub worker: Option<WorkerName>,
    /// When it came into the queue.
    #[serde(with = "time::serde::rfc3339::option")]
    pub enqueued_at: Option<OffsetDateTime>,
    /// When it was done, dead or cancelled.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// What happened to it, oldest first: that it was delivered, and at most [`EVENTS_MAX`](Self::EVENTS_MAX) more, of a job with more
    /// the newest.
    pub events: Vec<Event>,
    /// How its last runner ended that failed; if none did, its last one. None in lists of jobs, and before one has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_mortem: Option<PostMortem>,
}

impl JobRecord {
    /// How many events a record keeps besides its delivery.
    pub const EVENTS_MAX: usize = 100;
}
