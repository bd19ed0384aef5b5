//! Keeps the leases of this worker's jobs alive, and tells their tasks when one was lost or cancelled.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::{
    model::{JobId, PoolName, WorkerName},
    queue::{Announcement, Backup, Lease, LeaseId, News, Queue, QueueError},
    telemetry::chain,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{engine::EngineHealth, served::ServedPools};

/// How soon a beat that failed is tried again.
const BEAT_RETRY: Duration = Duration::from_secs(1);

/// How soon after news of jobs the next are told: those of all jobs that happen meanwhile go together.
const NEWS_EVERY: Duration = Duration::from_secs(1);

/// How long an idle runner may take to make room for a job.
const YIELD_EVERY: Duration = Duration::from_secs(10);

/// The leases that this worker holds, by job and attempt.
#[derive(Debug)]
pub struct Keeper {
    queue: Queue,
    worker: WorkerName,
    pools: ServedPools,
    capacity: u32,
    engine: Arc<EngineHealth>,
    held: Mutex<HashMap<(JobId, u64), Held>>,
    /// Pools whose limits the queue did not know at the last beat.
    unlimited: Mutex<HashSet<PoolName>>,
    /// When an idle runner last made room for a job of another pool.
    yielded: Mutex<Option<Instant>>,
    /// There is something to tell before the next beat.
    news: Notify,
}

#[derive(Debug)]
struct Held {
    pool: PoolName,
    epoch: u64,
    backup: Backup,
    news: News,
    /// Before the call was sent that gave it, or extended it last.
    renewed: Instant,
    lost: CancellationToken,
    cancelled: CancellationToken,
}

/// A lease in the keeper's care, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    keeper: Arc<Keeper>,
    lease: LeaseId,
    /// Cancelled when another worker may hold the job: stop working on it, and leave its container alone.
    pub lost: CancellationToken,
    /// Cancelled when the job was cancelled.
    pub cancelled: CancellationToken,
}

impl Keeper {
    /// A keeper for the leases of `worker`, which serves `pools` by `engine`.
    #[must_use]
    pub fn new(
        queue: Queue,
        worker: WorkerName,
        pools: ServedPools,
        capacity: u32,
        engine: Arc<EngineHealth>,
    ) -> Arc<Self> {
        let (held, unlimited, yielded) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { queue, worker, pools, capacity, engine, held, unlimited, yielded, news: Notify::new() })
    }

    /// Takes a lease that was just given into its care. It was `asked` for then, and has lasted no longer.
    #[must_use]
    pub fn hold(self: &Arc<Self>, lease: &Lease, asked: Instant) -> Hold {
        let entry = Held {
            pool: lease.pool().clone(),
            epoch: lease.id().epoch,
            backup: lease.backup(),
            news: lease.news(),
            renewed: asked,
            lost: CancellationToken::new(),
            cancelled: CancellationToken::new(),
        };
        let hold = Hold {
            keeper: Arc::clone(self),
            lease: lease.id(),
            lost: entry.lost.clone(),
            cancelled: entry.cancelled.clone(),
        };
        self.held().insert(key(lease.id()), entry);
        hold
    }

    /// Whether a task of this worker looks after the runner of this attempt at `job`.
    #[must_use]
    pub fn holds(&self, job: JobId, attempt: u64) -> bool {
        self.held().contains_key(&(job, attempt))
    }

    /// Whether this worker may have more runners than it has.
    #[must_use]
    pub fn has_room(&self) -> bool {
        u32::try_from(self.count()).is_ok_and(|runners| runners < self.capacity)
    }

    /// Whether an idle runner is to make room for a job of another pool: one at a time, as it takes a while until that job has it.
    pub fn yields(&self) -> bool {
        let mut yielded = self.yielded.lock().unwrap_or_else(PoisonError::into_inner);
        if yielded.is_some_and(|at| at.elapsed() < YIELD_EVERY) {
            return false;
        }
        *yielded = Some(Instant::now());
        true
    }

    /// How many leases it keeps.
    #[must_use]
    pub fn count(&self) -> usize {
        self.held().len()
    }

    /// Beats until `stop`, every third of a lease, and tells in between what happens to the jobs.
    pub async fn run(&self, stop: CancellationToken) {
        let interval = self.queue.config().lease_seconds / 3;
        loop {
            let pause = match self.beat().await {
                Ok(()) => interval,
                Err(error) => {
                    warn!(error = %chain(&error), "Cannot extend the leases yet; trying on");
                    BEAT_RETRY.min(interval)
                }
            };
            if stop.run_until_cancelled(self.tell_until(Instant::now() + pause)).await.is_none() {
                return;
            }
        }
    }

    /// Tells what happens to the jobs, until the next beat is due.
    async fn tell_until(&self, due: Instant) {
        while timeout_at(due, self.news.notified()).await.is_ok() {
            for pool in &self.beaten() {
                let leases = self.leases(pool, |held| !held.news.is_empty());
                if leases.is_empty() {
                    continue;
                }
                if let Err(error) = self.beat_leases(pool, &leases).await {
                    warn!(error = %chain(&error), "Cannot write to the jobs' records yet");
                }
            }
            sleep_until(due.min(Instant::now() + NEWS_EVERY)).await;
        }
    }

    /// A pool that cannot be beaten keeps no other from it: they may be on other servers. The first error is returned.
    async fn beat(&self) -> Result<(), QueueError> {
        let mut done = Ok(());
        for pool in &self.beaten() {
            done = done.and(self.beat_pool(pool).await);
        }
        let runners = u64::try_from(self.count()).unwrap_or(u64::MAX);
        let said = Announcement {
            capacity: self.capacity.into(),
            runners,
            pools: self.pools.names(),
            problem: self.engine.problem(),
        };
        done.and(self.queue.announce(&self.worker, said).await)
    }

    async fn beat_pool(&self, pool: &PoolName) -> Result<(), QueueError> {
        let limit_known = self.beat_leases(pool, &self.leases(pool, |_| true)).await?;
        self.tell_limit(pool, limit_known).await
    }

    /// The leases that it keeps in a pool, of which that is so.
    fn leases(&self, pool: &PoolName, so: impl Fn(&Held) -> bool) -> Vec<(LeaseId, News)> {
        let held = self.held();
        let of_pool = held.iter().filter(|(_, held)| &held.pool == pool && !held.lost.is_cancelled() && so(held));
        let id = |(job, attempt): (JobId, u64), held: &Held| LeaseId { job, attempt, epoch: held.epoch };
        of_pool.map(|(key, held)| (id(*key, held), held.news.clone())).collect()
    }

    /// Extends leases, tells of their jobs, and takes in what became of them; says whether the pool's limit is known.
    async fn beat_leases(&self, pool: &PoolName, leases: &[(LeaseId, News)]) -> Result<bool, QueueError> {
        let sent = Instant::now();
        let mut beat = self.queue.beat_with_news(pool, leases).await?;
        beat.lost = self.restore(beat.lost).await?;
        let mut held = self.held();
        for (lease, _) in leases {
            let job = lease.job;
            let Some(held) = held.get_mut(&key(*lease)).filter(|held| held.epoch == lease.epoch) else { continue };
            if beat.lost.contains(lease) {
                warn!(job.id = %job, "The lease was lost");
                held.lost.cancel();
            } else {
                held.renewed = sent;
            }
            if beat.cancelled.contains(lease) && !held.cancelled.is_cancelled() {
                info!(job.id = %job, "The job was cancelled");
                held.cancelled.cancel();
            }
        }
        Ok(beat.limit_known)
    }

    /// The pools that are to be beaten: those that this worker serves, and those of the runners that it found up besides, which
    /// it served before its settings were changed, or a neighbour did.
    fn beaten(&self) -> BTreeSet<PoolName> {
        let held = self.held();
        self.pools.names().into_iter().chain(held.values().map(|held| held.pool.clone())).collect()
    }

    /// Puts back the leases that were lost because the store has lost their jobs, and returns the others.
    async fn restore(&self, leases: Vec<LeaseId>) -> Result<Vec<LeaseId>, QueueError> {
        let mut lost = Vec::new();
        for lease in leases {
            let backup = self.held().get(&key(lease)).map(|held| held.backup.clone());
            let restored = match backup {
                Some(backup) => self.queue.restore(lease, &backup).await?,
                None => false,
            };
            if !restored {
                lost.push(lease);
            }
        }
        Ok(lost)
    }

    /// Tells a limit that the queue has not known for two beats. After one, others may yet have to put back their leases: with the
    /// limit told, jobs would be started in the place of those.
    async fn tell_limit(&self, pool: &PoolName, known: bool) -> Result<(), QueueError> {
        let first = {
            let mut unlimited = self.unlimited.lock().unwrap_or_else(PoisonError::into_inner);
            if known {
                unlimited.remove(pool);
                return Ok(());
            }
            unlimited.insert(pool.clone())
        };
        let pools = self.pools.all();
        let Some(pool) = pools.get(pool).filter(|_| !first) else { return Ok(()) };
        warn!(%pool.name, "The queue had lost the pool's limit; it is told again, without what was set by hand");
        self.queue.set_limit(pool).await
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(JobId, u64), Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a lease is kept under.
fn key(lease: LeaseId) -> (JobId, u64) {
    (lease.job, lease.attempt)
}

impl Hold {
    /// Has what happened to the job put onto its record soon.
    pub fn tell(&self) {
        self.keeper.news.notify_one();
    }

    /// Takes note that the lease is for a runner which an earlier attempt has made.
    pub fn now_for(&mut self, attempt: u64) {
        let mut held = self.keeper.held();
        if let Some(entry) = held.remove(&key(self.lease)) {
            self.lease.attempt = attempt;
            held.insert(key(self.lease), entry);
        }
    }

    /// Whether the lease cannot have ended yet, by this process's own clock, with a sixth of it to spare.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let lease = self.keeper.queue.config().lease_seconds;
        let held = self.keeper.held();
        held.get(&key(self.lease))
            .is_some_and(|held| held.epoch == self.lease.epoch && held.renewed.elapsed() < lease * 5 / 6)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.keeper.held();
        if held.get(&key(self.lease)).is_some_and(|held| held.epoch == self.lease.epoch) {
            held.remove(&key(self.lease));
        }
    }
}
