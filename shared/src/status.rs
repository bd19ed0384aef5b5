//! The one read model: what `worker status`, the API and the metrics show of the queue.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{JobId, JobState, PoolName, RunnerName, Scope, WorkerName};

/// The state of all pools and workers. Its JSON is the contract's.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// Every pool that the queue knows, by name.
    pub pools: Vec<PoolStatus>,
    /// Every worker that was seen of late, by name.
    pub workers: Vec<WorkerStatus>,
}

/// How many jobs of a pool are in which state.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct PoolStatus {
    /// The pool.
    pub name: PoolName,
    /// How many runners it may have at once; 0 while no worker has said so.
    pub limit: u64,
    /// Jobs that wait for a slot.
    pub pending: u64,
    /// Jobs that wait for a time.
    pub delayed: u64,
    /// Jobs whose runner is being prepared.
    pub starting: u64,
    /// Jobs whose runner is up.
    pub running: u64,
    /// Jobs whose runner is up while its worker is silent.
    pub orphaned: u64,
    /// Dead letters.
    pub dead: u64,
    /// Of the runners that are up, or being prepared, those that have no job, nor one of their own to wait for.
    pub warm: u64,
    /// How long the oldest pending job has waited, in seconds; 0 if there is none.
    pub oldest_seconds: u64,
    /// Why its jobs are not started, but for one now and then; none if they are.
    pub stopped: Option<String>,
    /// Why none of its jobs is started for a while, such as GitHub's limits; none if they are.
    pub paused: Option<String>,
}

impl PoolStatus {
    /// Of a pool that has never had a job.
    #[must_use]
    pub const fn nothing_in(name: PoolName) -> Self {
        Self {
            name,
            limit: 0,
            pending: 0,
            delayed: 0,
            starting: 0,
            running: 0,
            orphaned: 0,
            dead: 0,
            warm: 0,
            oldest_seconds: 0,
            stopped: None,
            paused: None,
        }
    }
}

/// A worker, as the queue sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct WorkerStatus {
    /// Its name.
    pub name: WorkerName,
    /// How many runners it may have at once.
    pub capacity: u64,
    /// How many it has.
    pub runners: u64,
    /// The pools that it serves.
    pub pools: Vec<PoolName>,
    /// What keeps it from starting any runner; none if nothing does.
    pub problem: Option<String>,
    /// How long ago it was heard of, in seconds.
    pub seen_seconds: u64,
}

/// A runner that has a slot of its pool.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct RunnerSlot {
    /// Its name; none before its container is made.
    pub name: Option<RunnerName>,
    /// Its pool.
    pub pool: PoolName,
    /// Where it registers.
    pub scope: Option<Scope>,
    /// The worker that looks after it.
    pub worker: Option<WorkerName>,
    /// `starting`, `running` when its container is up, or `orphaned` while its worker is silent.
    pub state: JobState,
    /// Whether it has said that it works on a job.
    pub busy: bool,
    /// The job that it was started for, or the one that it took instead; none while it waits for whichever comes.
    pub job: Option<JobId>,
}
