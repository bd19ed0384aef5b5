//! What can be done to the queue. Each change is one script in `scripts/`, which the store runs as a whole or not at all, and
//! at its own time.
//!
//! Ids travel in lists, one per pool and scope; a job's message and state are a hash; the zset of leases is the semaphore
//! that holds the pool's limit.

mod admit;
mod adopt;
mod audit;
mod beat;
mod cancel;
mod check;
mod crossover;
mod dead_letter;
mod demand;
mod ended;
mod enqueue;
mod explain;
mod find;
mod keys;
mod limits;
mod list;
mod move_to;
mod read;
mod reconcile;
mod refill;
mod refused;
mod reserve;
mod restore;
mod runners;
mod seen;
mod settle;
mod totals;
mod wait;
mod waits;
mod worker;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use redis::{Cmd, FromRedisValue, cmd};

pub use ended::Ended;
pub use settle::{Ending, Progress};
pub use worker::Announcement;

use super::{QueueConfig, QueueError, script, store::Store};
use crate::model::{JobId, PoolName};

/// So many crashes of its worker while a job starts make it a dead letter: a job that kills workers must not kill them all.
const CRASHES_MAX: u32 = 3;

/// How long the slot of a running container is held for its worker's return.
const ORPHAN_HOLD: Duration = Duration::from_mins(10);

/// How long a delivery's GUID is remembered. GitHub redelivers for three days.
const DELIVERY_MEMORY: Duration = Duration::from_hours(7 * 24);

/// The queue. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Queue {
    config: Arc<QueueConfig>,
    store: Store,
    /// The pools that this process has put on the list of pools.
    listed: Arc<Mutex<HashSet<PoolName>>>,
}

impl Queue {
    /// A queue whose store is reached for when it is first used, and again after every failure.
    ///
    /// # Errors
    ///
    /// [`QueueError::Setting`] when `QUEUE_URL` is no address of a store, or a file for TLS cannot be used.
    pub fn new(config: &QueueConfig) -> Result<Self, QueueError> {
        Ok(Self { config: Arc::new(config.clone()), store: Store::new(config)?, listed: Arc::default() })
    }

    /// The same queue for a thread with a runtime of its own, over a connection of its own where there are connections: one that is shared
    /// wakes its thread and the caller's in turns.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { store: self.store.apart(), ..self.clone() }
    }

    /// The settings it was made with.
    #[must_use]
    pub fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// Asks the store whether it is there, and whether the jobs are.
    ///
    /// # Errors
    ///
    /// Every [`QueueError`] that [is transient](QueueError::is_transient).
    pub async fn ping(&self) -> Result<(), QueueError> {
        let _pong: String = self.store.query(&cmd("PING")).await?;
        self.still_here().await
    }

    /// Sends the store a command as it is: for whoever looks below the queue, such as its tests.
    ///
    /// # Errors
    ///
    /// Every [`QueueError`] that [is transient](QueueError::is_transient).
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        self.store.query(command).await
    }

    /// Lets go of the store, at the end of a process: whatever holds a clone of the queue yet, a file is left whole. Blocks, for some seconds at
    /// the most.
    pub fn let_go(&self) {
        self.store.close();
    }

    fn lease_ms(&self) -> u64 {
        millis(self.config.lease_seconds)
    }

    fn keep_ms(&self) -> u64 {
        millis(self.config.keep_days)
    }
}

/// The ids of jobs that came back from the store.
fn job_ids(texts: &[String]) -> Vec<JobId> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// A duration as the scripts take it.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
