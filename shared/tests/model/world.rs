//! The store and the model side by side: each operation is done to both, and the answer must be the model's.

use std::time::Duration;

use proptest::test_runner::TestCaseError;
use shared::{
    model::{JobId, JobState, PoolName, Pools},
    queue::Lease,
};

use super::{
    fairness::Turns,
    invariants,
    limits::SETTINGS,
    model::{Entry, Model, Runner, Stop, WARM, pick, pool_of},
    operation::Operation,
    store::{POOLS, Store, stored},
};

/// What there is after an operation, or which promise it broke.
pub(crate) type Checked<T = ()> = Result<T, TestCaseError>;

/// Longer than any delay here, and than any job waits.
pub(crate) const LONG: Duration = Duration::from_hours(23);

/// A lease in a worker's hands; or, once that worker crashed, a zombie's.
pub(crate) struct Held {
    pub(crate) worker: usize,
    pub(crate) lease: Lease,
    pub(crate) zombie: bool,
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) model: Model,
    pub(crate) turns: Turns,
    pub(crate) leases: Vec<Held>,
    pub(crate) runners: Vec<Runner>,
    /// What GitHub said of jobs and runners.
    pub(crate) told: Vec<(u64, Option<Runner>)>,
    pub(crate) settings: [Pools; 2],
}

impl World {
    pub(crate) async fn new(store: Store) -> Self {
        let mut world = Self {
            store,
            model: Model::default(),
            turns: Turns::default(),
            leases: Vec::new(),
            runners: Vec::new(),
            told: Vec::new(),
            settings: SETTINGS.map(settings),
        };
        world.set_limits(0).await;
        world
    }

    /// Does one thing, and looks at everything.
    pub(crate) async fn step(&mut self, operation: &Operation) -> Checked {
        self.perform(operation).await?;
        for (pool, keys) in self.store.read().await.iter().enumerate() {
            invariants::check(pool, keys, &self.model)
                .map_err(|error| TestCaseError::fail(format!("after {operation:?}: {error}")))?;
        }
        let model = &self.model;
        self.turns.retain(|pool, scope| model.eligible(pool).contains(&scope));
        Ok(())
    }

    async fn perform(&mut self, operation: &Operation) -> Checked {
        match *operation {
            Operation::Enqueue { job, guid } => self.enqueue(job, guid).await,
            Operation::Reserve { pool, worker } => self.reserve(pool, worker).await.map(drop),
            Operation::Beat { lease, without, zombies, ran } => self.beat(lease, without, (zombies, ran)).await,
            Operation::Crash { worker } => {
                self.leases.iter_mut().filter(|held| held.worker == worker).for_each(|held| held.zombie = true);
                Ok(())
            }
            Operation::Progress { lease, step } => self.progress(lease, step).await,
            Operation::Settle { lease, how } => self.settle(lease, how).await,
            Operation::Cancel { job, guid } => self.cancel(job, guid).await,
            Operation::Served { job, by, completed, guid } => self.served(job, by, completed, guid).await,
            Operation::Missed { job } => self.missed(job).await,
            Operation::Adopt { worker, runner } => self.adopt(worker, runner).await,
            Operation::Runners { pool, worker } => self.runners(pool, worker).await,
            Operation::Replay { job } => self.replay(job).await,
            Operation::Drop { job } => self.drop_dead(job).await,
            Operation::Limit { pool, limit, most } => self.limit(pool, limit, most).await,
            Operation::SetLimits { which } => {
                self.set_limits(which).await;
                Ok(())
            }
            Operation::Audit { pool } => self.audit(pool).await,
            Operation::Refill { pool, worker, wanted } => self.refill(pool, worker, wanted).await,
            Operation::Spare { lease, runner, room } => self.spare(lease, runner, room).await,
            Operation::HeldOff { scope } => {
                self.held_off(scope).await;
                Ok(())
            }
            _ => {
                self.pass_time(operation).await;
                Ok(())
            }
        }
    }

    /// A record expires.
    async fn forget(&mut self, job: usize) {
        let job = self.model.choose(job, &[JobState::Done, JobState::Cancelled]);
        if !self.model.expires(job) {
            return;
        }
        for key in ["job", "events"] {
            self.store.gone(pool_of(job), &format!("{key}:{job}")).await;
        }
        self.model.jobs.remove(&job);
        self.leases.retain(|held| held.lease.job_id().get() != job);
        self.model.forgotten.insert(job);
    }

    /// Time passes, for one thing.
    async fn pass_time(&mut self, operation: &Operation) {
        match *operation {
            Operation::RunOut { lease } => {
                let leased = (0..2).flat_map(|pool| self.model.leased(pool));
                let leased: Vec<Entry> = leased.map(|(entry, _)| entry).collect();
                if let Some(entry) = pick(&leased, lease) {
                    self.store.past(pool_of(entry.job()), "lease", &stored(entry)).await;
                    self.model.run_out.retain(|other| *other != entry);
                    self.model.run_out.push(entry);
                }
            }
            Operation::Due { job } => {
                let jobs = self.model.jobs.iter().filter(|(_, job)| job.state == JobState::Delayed);
                let delayed: Vec<u64> = jobs.map(|(id, _)| *id).collect();
                if let Some(job) = pick(&delayed, job) {
                    self.store.past(pool_of(job), "delayed", &job.to_string()).await;
                    self.model.due.retain(|other| *other != job);
                    self.model.due.push(job);
                }
            }
            Operation::Pause { pool } => {
                self.store.queue.pause(&[pool_name(pool)], LONG, "GitHub says so").await.unwrap();
                self.model.paused[pool] = true;
            }
            Operation::Resume { pool } => {
                self.store.gone(pool, "paused").await;
                self.store.set_marker(pool).await;
                self.model.paused[pool] = false;
            }
            Operation::Stop { pool } => {
                self.store.queue.stop(&pool_name(pool), LONG, "its runners cannot work").await.unwrap();
                self.model.stopped[pool] = Some(Stop::default());
            }
            Operation::Try { pool } => {
                self.store.queue.try_again(&[pool_name(pool)]).await.unwrap();
                if let Some(stop) = &mut self.model.stopped[pool] {
                    stop.due = true;
                }
            }
            Operation::Outage { pool } => {
                self.store.away(pool).await;
                self.model.away[pool] = true;
            }
            Operation::Heard { pool } => {
                self.store.gone(pool, "grace").await;
                self.model.grace[pool] = false;
            }
            Operation::Forget { job } => self.forget(job).await,
            Operation::GrowOld { job } => {
                let job = self.model.choose(job, &[JobState::Pending]);
                if self.model.state(job) != Some(JobState::Pending) {
                    return;
                }
                self.store.past(pool_of(job), "queued", &job.to_string()).await;
                self.model.old.retain(|other| *other != job);
                self.model.old.push(job);
            }
            _ => {}
        }
    }
}

pub(crate) fn pool_name(pool: usize) -> PoolName {
    POOLS[pool].parse().unwrap()
}

pub(crate) fn job_id(job: u64) -> JobId {
    match job.checked_sub(WARM) {
        Some(number) => JobId::warm(number.try_into().unwrap()),
        None => job.to_string().parse().unwrap(),
    }
}

fn settings(text: &str) -> Pools {
    let (_, default) = shared::pools::load(&mut shared::settings::Environment::of::<String, String>([]));
    Pools::parse(text, default.now().iter().next().unwrap()).unwrap()
}
