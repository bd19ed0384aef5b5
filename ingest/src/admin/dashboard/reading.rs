//! What there is to be seen of the queue, read at most once a second, whoever looks on.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use actix_web::web::Data;
use shared::{
    queue::{Happening, Queue, QueueError, Waits},
    status::{PoolStatus, RunnerSlot, Status, WorkerStatus},
};
use tokio::{sync::Mutex, time::Instant};

use super::answer;
use crate::admin::Access;

/// How old a reading may be that a page is made from.
pub(super) const AGE_MAX: Duration = Duration::from_secs(1);

/// The same of what is counted by the quarter of an hour.
const WAITS_AGE_MAX: Duration = Duration::from_secs(15);

/// A reading of the queue.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) status: Status,
    pub(super) runners: Vec<RunnerSlot>,
    /// What has happened so far, of all pools.
    pub(super) totals: [u64; Happening::ALL.len()],
    /// A worker that was silent for so long has lost its jobs.
    pub(super) lease_seconds: u64,
}

impl Reading {
    /// Whether a worker is there.
    pub(super) fn is_there(&self, worker: &WorkerStatus) -> bool {
        worker.seen_seconds <= self.lease_seconds
    }

    /// The workers that are there and serve a pool.
    pub(super) fn serving<'a>(&'a self, pool: &'a PoolStatus) -> impl Iterator<Item = &'a WorkerStatus> {
        self.status.workers.iter().filter(|worker| self.is_there(worker) && worker.pools.contains(&pool.name))
    }

    /// A number that is another one when something has happened.
    pub(super) fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for pool in &self.status.pools {
            let PoolStatus { name, limit, pending, delayed, starting, running, orphaned, dead, warm, .. } = pool;
            (name, limit, pending, delayed, starting, running, orphaned, dead, warm).hash(&mut hasher);
            (&pool.stopped, &pool.paused).hash(&mut hasher);
        }
        for worker in &self.status.workers {
            let WorkerStatus { name, capacity, runners, pools, problem, .. } = worker;
            (name, capacity, runners, pools, problem, self.is_there(worker)).hash(&mut hasher);
        }
        for runner in &self.runners {
            (&runner.name, &runner.worker, runner.state, runner.busy, runner.job).hash(&mut hasher);
        }
        self.totals.hash(&mut hasher);
        hasher.finish()
    }
}

/// What came of a reading, or why nothing did.
type Read = Result<Arc<Reading>, String>;

/// The last reading of each kind, with its time.
pub(super) struct Readings {
    access: Data<Access>,
    last: Mutex<Option<(Instant, Read)>>,
    waits: Mutex<Option<(Instant, Arc<[Waits]>)>>,
}

impl Readings {
    pub(super) fn new(access: Data<Access>) -> Self {
        Self { access, last: Mutex::default(), waits: Mutex::default() }
    }

    /// What is to be seen now, or was within the last second; an error says why it cannot be read.
    pub(super) async fn now(&self) -> Read {
        let mut last = self.last.lock().await; // whoever comes meanwhile gets the same reading
        if let Some((_, reading)) = last.as_ref().filter(|(at, _)| at.elapsed() < AGE_MAX) {
            return reading.clone();
        }
        let reading = answer::read(&self.access, read).await.map(Arc::new);
        *last = Some((Instant::now(), reading.clone()));
        reading
    }

    /// How long jobs of these pools waited over the last day.
    pub(super) async fn waits(&self, status: &Status) -> Result<Arc<[Waits]>, String> {
        let mut last = self.waits.lock().await;
        if let Some((_, waits)) = last.as_ref().filter(|(at, _)| at.elapsed() < WAITS_AGE_MAX) {
            return Ok(Arc::clone(waits));
        }
        let waits: Arc<[Waits]> =
            answer::read(&self.access, async |queue| read_waits(queue, status).await).await?.into();
        *last = Some((Instant::now(), Arc::clone(&waits)));
        Ok(waits)
    }
}

async fn read(queue: &Queue) -> Result<Reading, QueueError> {
    let status = queue.status().await?;
    let mut totals = [0; Happening::ALL.len()];
    for pool in &status.pools {
        for (total, (_, times)) in totals.iter_mut().zip(queue.totals(&pool.name).await?) {
            *total += times;
        }
    }
    let lease_seconds = queue.config().lease_seconds.as_secs();
    Ok(Reading { runners: queue.runners().await?, status, totals, lease_seconds })
}

async fn read_waits(queue: &Queue, status: &Status) -> Result<Vec<Waits>, QueueError> {
    let mut all: Vec<Waits> = Vec::new();
    for pool in &status.pools {
        for waits in queue.waits(&pool.name).await? {
            // A quarter may have ended since the first pool was read.
            match all.iter_mut().find(|quarter| quarter.from == waits.from) {
                Some(quarter) => quarter.add(&waits),
                None => all.push(waits),
            }
        }
    }
    Ok(all)
}
