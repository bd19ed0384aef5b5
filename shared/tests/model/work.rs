//! What workers do, in store and model.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use shared::{
    model::{JobState, WorkerName},
    queue::{Adoption, Ending, Lease, LeaseId, News, PostMortem, Progress, QueueError, Reserved, Settlement, What},
};

use super::{
    model::{Entry, RARELY, Stop, pick, pool_of, scope_of},
    operation::{How, JOBS, Limit, Operation, Step},
    world::{Checked, Held, World, job_id, pool_name},
};

/// So many rounds are enough to drain the queue.
const ROUNDS: u64 = 12 * JOBS;

pub(crate) fn worker_name(worker: usize) -> WorkerName {
    format!("w{worker}").parse().unwrap()
}

fn settlement(how: How) -> Settlement {
    let delay = Duration::from_hours(1);
    let why = || "the engine said no".to_owned();
    match how {
        How::Done => Settlement::Done { detail: "Succeeded".to_owned() },
        How::Idle => Settlement::Idle { detail: "it found no job".to_owned() },
        How::Retry => Settlement::Retry { delay, error: why() },
        How::Dead => Settlement::Dead { error: why() },
        How::Cancelled => Settlement::Cancelled { reason: why() },
        How::Release => Settlement::Release { delay: Duration::ZERO, reason: why() },
        How::ReleaseLater => Settlement::Release { delay, reason: why() },
    }
}

/// How the runner of a lease ended. Its seconds say which lease it was.
fn post_mortem(id: LeaseId) -> PostMortem {
    PostMortem {
        runner: format!("gha-{}-{}", id.job, id.attempt).parse().unwrap(),
        outcome: "it ended".to_owned(),
        exit_code: 1,
        oom: false,
        signal: None,
        seconds: Some(id.epoch),
        image: None,
        log: vec!["its last line".to_owned()],
    }
}

impl World {
    /// The number of a lease that is good, or now and then of any.
    pub(crate) fn choose(&self, number: usize) -> Option<usize> {
        let all: Vec<usize> = (0..self.leases.len()).collect();
        let good = |id: LeaseId| self.model.holds((id.job.get(), id.attempt), id.epoch).is_some();
        let good: Vec<usize> = all.iter().copied().filter(|held| good(self.leases[*held].lease.id())).collect();
        let choice = if number.is_multiple_of(RARELY) { None } else { pick(&good, number) };
        choice.or(pick(&all, number))
    }

    /// Says whether there was a job.
    pub(crate) async fn reserve(&mut self, pool: usize, worker: usize) -> Checked<bool> {
        self.store.take_marker(pool).await;
        let mut reserved = Reserved::Again;
        for _ in 0..10 {
            reserved = self.store.queue.reserve(&pool_name(pool), &worker_name(worker)).await.unwrap();
            if !matches!(reserved, Reserved::Again) {
                break;
            }
        }
        self.model.tend(pool);
        let next = self.model.next(pool);
        match reserved {
            Reserved::Paused(_) => prop_assert!(self.model.is_held_up(pool)),
            _ if self.model.is_held_up(pool) => prop_assert!(false, "{reserved:?} while nothing is to start"),
            Reserved::Full => prop_assert!(self.model.is_full(pool)),
            _ if self.model.is_full(pool) => prop_assert!(false, "{reserved:?} while the pool is full"),
            Reserved::Empty { next_due } => {
                prop_assert_eq!(&next, &[0; 0]);
                prop_assert_eq!(next_due.is_some(), self.model.count(pool, JobState::Delayed) > 0);
            }
            Reserved::Job(lease) => {
                let job = lease.job_id().get();
                prop_assert!(next.contains(&job), "job {job} is not to be had now, but {next:?}");
                prop_assert!(!self.model.cancelled.contains(&job), "job {job} was cancelled");
                self.turns.served(pool, scope_of(job), &self.model.eligible(pool))?;
                self.model.lease(job, worker);
                if let Some(stop) = &mut self.model.stopped[pool] {
                    *stop = Stop { due: false, trial: Some(job) };
                }
                self.take(worker, *lease)?;
                return Ok(true);
            }
            Reserved::Again => prop_assert!(false, "it never comes to an end"),
            Reserved::LimitUnknown => prop_assert!(false, "the pool has been told its limit"),
        }
        Ok(false)
    }

    /// A worker has a lease that the model has just given it.
    pub(crate) fn take(&mut self, worker: usize, lease: Lease) -> Checked {
        let id = lease.id();
        let (job, hold) = (&self.model.jobs[&id.job.get()], self.model.holds((id.job.get(), id.attempt), id.epoch));
        prop_assert!(hold.is_some(), "{id:?} is not what the model has: {:?}", job.hold);
        prop_assert_eq!((lease.attempts, lease.replays), (job.attempts, job.replays));
        prop_assert_eq!(lease.job.job_id, id.job);
        if !self.runners.contains(&(id.job.get(), id.attempt)) {
            self.runners.push((id.job.get(), id.attempt));
        }
        self.leases.push(Held { worker, lease, zombie: false });
        Ok(())
    }

    pub(crate) async fn beat(&mut self, lease: usize, without: u8, (zombies, ran): (bool, bool)) -> Checked {
        let Some(number) = self.choose(lease) else { return self.beat_with(lease % 2, Vec::new(), None).await };
        let (worker, pool) = (self.leases[number].worker, self.leases[number].lease.pool().clone());
        let held = self.leases.iter_mut().filter(|held| held.worker == worker && *held.lease.pool() == pool);
        let held = held.filter(|held| zombies || !held.zombie).enumerate();
        let held = held.filter(|(number, _)| without >> (number % 8) & 1 == 0);
        let (mut beaten, mut took_a_job) = (Vec::new(), None);
        for (_, held) in held {
            if ran && took_a_job.is_none() {
                held.lease.happened(What::Running, "build");
                took_a_job = Some(held.lease.id());
            }
            beaten.push((held.lease.id(), held.lease.news()));
        }
        self.beat_with(pool_of(self.leases[number].lease.job_id().get()), beaten, took_a_job).await
    }

    async fn beat_with(&mut self, pool: usize, leases: Vec<(LeaseId, News)>, ran: Option<LeaseId>) -> Checked {
        let beat = self.store.queue.beat_with_news(&pool_name(pool), &leases).await.unwrap();
        let (mut lost, mut cancelled) = (Vec::new(), Vec::new());
        for (id, news) in leases {
            let Some(entry) = self.model.holds((id.job.get(), id.attempt), id.epoch) else {
                lost.push(id);
                continue;
            };
            if self.model.extend(entry) {
                cancelled.push(id);
            }
            if ran == Some(id) {
                self.model.ran(entry, id.job.get());
            }
            prop_assert!(news.is_empty(), "{news:?} is to be told no more");
        }
        self.model.tend(pool);
        prop_assert_eq!((beat.lost, beat.cancelled), (lost, cancelled));
        Ok(())
    }

    pub(crate) async fn progress(&mut self, lease: usize, step: Step) -> Checked {
        let Some(number) = self.choose(lease) else { return Ok(()) };
        let lease = &mut self.leases[number].lease;
        let id = lease.id();
        let job = id.job.get();
        let entry = self.model.holds((job, id.attempt), id.epoch);
        let found = match step {
            Step::Found(which) if matches!(entry, Some(Entry::Own(_))) => {
                let others = self.runners.iter().filter(|runner| runner.0 == job).map(|runner| runner.1);
                pick(&others.collect::<Vec<_>>(), which)
            }
            _ => None,
        };
        let started = matches!(step, Step::Started | Step::Found(_));
        let (exited, gone) = (matches!(step, Step::Exited).then_some("Succeeded"), matches!(step, Step::Gone));
        let end = post_mortem(id);
        let post_mortem = (gone || exited.is_some()).then_some(Ending { failed: gone, post_mortem: &end });
        if matches!(step, Step::Ran) {
            lease.happened(What::Running, "build");
        }
        let progress = Progress { started, exited, gone, found, post_mortem, ..Progress::default() };
        let progressed = self.store.queue.progress(lease, progress).await;

        let taken = found.is_some_and(|found| self.model.jobs[&job].lost.contains(&found));
        let Some(entry) = entry.filter(|_| !taken) else {
            prop_assert!(matches!(progressed, Err(QueueError::LeaseLost { .. })), "{progressed:?}");
            return Ok(());
        };
        prop_assert!(progressed.is_ok(), "{progressed:?}");
        let cancelled = matches!(entry, Entry::Own(job) if self.model.jobs[&job].cancel);
        prop_assert_eq!(self.leases[number].lease.cancelled, cancelled);
        if matches!(step, Step::Ran) {
            self.model.ran(entry, job);
        }
        let (state, hold) = self.model.held_mut(entry);
        if started {
            *state = JobState::Running;
        }
        if gone {
            *state = JobState::Starting;
        }
        hold.exited |= exited.is_some();
        hold.attempt = found.unwrap_or(hold.attempt);
        if post_mortem.is_some() {
            self.model.jobs.get_mut(&job).unwrap().ended[usize::from(!gone)] = Some(id.epoch);
        }
        Ok(())
    }

    pub(crate) async fn settle(&mut self, lease: usize, how: How) -> Checked {
        let Some(number) = self.choose(lease) else { return Ok(()) };
        self.settle_the(number, how).await
    }

    async fn settle_the(&mut self, number: usize, how: How) -> Checked {
        let lease = self.leases.swap_remove(number).lease;
        let id = lease.id();
        let settled = self.store.queue.settle(lease, settlement(how)).await;
        match self.model.holds((id.job.get(), id.attempt), id.epoch) {
            None => prop_assert!(matches!(settled, Err(QueueError::LeaseLost { .. })), "{settled:?}"),
            Some(entry) => prop_assert_eq!(settled.unwrap(), self.model.settle(entry, how)),
        }
        Ok(())
    }

    pub(crate) async fn adopt(&mut self, worker: usize, runner: usize) -> Checked {
        let Some(runner) = pick(&self.runners, runner) else { return Ok(()) };
        let (job, attempt) = runner;
        let (pool, worker_name) = (pool_name(pool_of(job)), worker_name(worker));
        let adoption = self.store.queue.adopt(&pool, &worker_name, job_id(job), attempt).await.unwrap();
        match (adoption, self.model.adopt(runner, worker)) {
            (Adoption::Adopted(lease), Ok(epoch)) => {
                prop_assert_eq!(lease.id(), LeaseId { job: job_id(job), attempt, epoch });
                self.take(worker, *lease)
            }
            (Adoption::Refused(state), Err(expected)) => {
                prop_assert_eq!(state, expected);
                Ok(())
            }
            (adoption, expected) => {
                prop_assert!(false, "{adoption:?}, not {expected:?}");
                Ok(())
            }
        }
    }

    pub(crate) async fn runners(&mut self, pool: usize, worker: usize) -> Checked {
        let up: Vec<Entry> = self
            .model
            .leased(pool)
            .filter(|(_, state)| matches!(state, JobState::Running | JobState::Orphaned))
            .map(|(entry, _)| entry)
            .collect();
        let mut expected = BTreeSet::new();
        for entry in up {
            let (_, hold) = self.model.held_mut(entry);
            if hold.worker == worker && !hold.exited {
                expected.insert((job_id(entry.job()), hold.attempt));
            }
        }
        let told = self.store.queue.runners_of(&pool_name(pool), &worker_name(worker)).await.unwrap();
        prop_assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
        Ok(())
    }

    /// With time, room and a worker that lives, everything that waits is served (I5).
    pub(crate) async fn drain(&mut self) -> Checked {
        for pool in 0..2 {
            for limit in [Limit::Scope(0), Limit::Scope(1), Limit::Scope(2), Limit::EachScope, Limit::Pool] {
                self.step(&Operation::Limit { pool, limit, most: Some(2) }).await?;
            }
            self.step(&Operation::Resume { pool }).await?;
            for _ in 0..ROUNDS {
                if self.is_idle(pool) {
                    break;
                }
                self.round(pool).await?;
            }
            prop_assert!(self.is_idle(pool), "pool {pool} does not come to rest");
            self.step(&Operation::Audit { pool }).await?;
        }
        Ok(())
    }

    fn is_idle(&self, pool: usize) -> bool {
        let waits = |state| self.model.count(pool, state) > 0;
        !waits(JobState::Pending) && !waits(JobState::Delayed) && self.model.leased(pool).next().is_none()
    }

    /// A worker looks in, leases of others run out, and delayed jobs come up.
    async fn round(&mut self, pool: usize) -> Checked {
        for lease in 0..self.model.leased(0).chain(self.model.leased(1)).count() {
            self.step(&Operation::RunOut { lease }).await?;
        }
        for job in 0..self.model.count(0, JobState::Delayed) + self.model.count(1, JobState::Delayed) {
            self.step(&Operation::Due { job }).await?;
        }
        self.beat_with(pool, Vec::new(), None).await?;
        self.step(&Operation::Heard { pool }).await?;
        loop {
            self.step(&Operation::Try { pool }).await?;
            if !self.reserve(pool, 0).await? {
                return Ok(());
            }
            self.settle_the(self.leases.len() - 1, How::Done).await?;
        }
    }
}
