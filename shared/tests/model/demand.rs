//! What GitHub and operators do, in store and model.

use proptest::prelude::*;
use shared::{
    model::{JobMessage, JobState},
    queue::{CancelOutcome, DeadLetters, Enqueued, LimitChange, Noted, Served, ServedBy},
};

use super::{
    crossing::name,
    model::{RARELY, Runner, pick, pool_of, scope_of},
    operation::{By, Limit},
    store::{POOLS, SCOPES},
    world::{Checked, LONG, World, job_id, pool_name},
};

/// The states of jobs to which something may happen.
const OPEN: [JobState; 6] =
    [JobState::Pending, JobState::Delayed, JobState::Starting, JobState::Running, JobState::Orphaned, JobState::Dead];

/// What GitHub says of a job.
pub(crate) fn message(job: u64, guid: &str) -> JobMessage {
    JobMessage {
        job_id: job_id(job),
        run_id: 1,
        run_attempt: 1,
        name: "build".to_owned(),
        workflow: None,
        html_url: None,
        repository: Some("octo/a".parse().unwrap()),
        scope: SCOPES[scope_of(job)].parse().unwrap(),
        labels: "self-hosted".parse().unwrap(),
        pool: pool_name(pool_of(job)),
        installation_id: None,
        delivery: guid.parse().unwrap(),
        trace: None,
    }
}

impl World {
    pub(crate) async fn enqueue(&mut self, job: u64, guid: u8) -> Checked {
        if self.model.forgotten.contains(&job) {
            return Ok(()); // GitHub does not deliver again for so long
        }
        let guid = format!("queued-{job}-{guid}");
        let enqueued = self.store.queue.enqueue(&message(job, &guid)).await.unwrap();
        let expected = if !self.model.deliveries.insert((pool_of(job), guid)) {
            Enqueued::DuplicateDelivery
        } else if self.model.reopens(job) {
            self.model.revive(job);
            self.model.push(job, false);
            Enqueued::Stored
        } else if let Some(state) = self.model.state(job) {
            Enqueued::DuplicateJob(state)
        } else {
            self.model.add(job, JobState::Pending, false);
            self.model.push(job, false);
            self.model.counts[pool_of(job)].accepted += 1;
            Enqueued::Stored
        };
        prop_assert_eq!(enqueued, expected);
        Ok(())
    }

    pub(crate) async fn missed(&mut self, job: usize) -> Checked {
        let job = self.model.choose(job, &[JobState::Done]);
        let missed = self.store.queue.missed(&pool_name(pool_of(job)), job_id(job)).await.unwrap();
        prop_assert_eq!(missed, self.model.may_wait_still(job));
        if missed {
            self.model.revive(job);
            self.model.push(job, true);
        }
        Ok(())
    }

    pub(crate) async fn cancel(&mut self, job: usize, guid: Option<u8>) -> Checked {
        let job = self.model.choose(job, &OPEN);
        let state = self.model.state(job);
        // Looked for in the wrong pool first, if it is in one.
        let pool = if state.is_some() { 1 - pool_of(job) } else { pool_of(job) };
        let guid = guid.map(|guid| format!("cancelled-{job}-{guid}"));
        let delivery = guid.as_ref().map(|guid| guid.parse().unwrap());
        let cancelled =
            self.store.queue.cancel(&pool_name(pool), job_id(job), delivery.as_ref(), "cancelled").await.unwrap();
        if guid.is_some_and(|guid| !self.model.deliveries.insert((pool_of(job), guid))) {
            prop_assert_eq!(cancelled, CancelOutcome::DuplicateDelivery);
            return Ok(());
        }
        self.model.cancelled.insert(job);
        let expected = match state {
            None => {
                self.model.add(job, JobState::Cancelled, true);
                self.model.counts[pool_of(job)].tombstones += 1;
                CancelOutcome::Tombstone
            }
            Some(state @ (JobState::Done | JobState::Cancelled)) => {
                self.model.jobs.get_mut(&job).unwrap().cancel |= state == JobState::Done;
                CancelOutcome::Ended(state)
            }
            Some(state) if state.is_leased() => {
                self.model.jobs.get_mut(&job).unwrap().cancel = true;
                CancelOutcome::Flagged
            }
            Some(_) => {
                self.model.withdraw(job);
                self.model.close(job, JobState::Cancelled);
                CancelOutcome::Cancelled
            }
        };
        prop_assert_eq!(cancelled, expected);
        Ok(())
    }

    pub(crate) async fn served(&mut self, job: usize, by: By, completed: bool, guid: u8) -> Checked {
        let told = match by {
            By::Again(which) => pick(&self.told, which),
            _ => self.runner_for(self.model.choose(job, &OPEN), by),
        };
        let Some((job, runner)) = told else { return Ok(()) };
        self.told.push((job, runner));
        let by = match runner {
            Some((of, attempt)) if of == job => ServedBy::Own { attempt },
            Some((of, attempt)) => ServedBy::Other { job: job_id(of), attempt },
            None => ServedBy::Foreign,
        };
        let runner = runner.map_or_else(|| "somebody-elses".to_owned(), name);
        let pool = if self.model.state(job).is_some() { 1 - pool_of(job) } else { pool_of(job) };
        let guid = format!("served-{job}-{guid}");
        let delivery = guid.parse().unwrap();
        let served =
            Served { job: job_id(job), runner: &runner, by, completed, delivery: &delivery, detail: "GitHub says so" };
        let noted = self.store.queue.served(&pool_name(pool), &served).await.unwrap();

        self.model.served(job, &runner, by, completed);
        let expected = if self.model.state(job).is_none() {
            Noted::Unknown
        } else if self.model.deliveries.insert((pool_of(job), guid)) {
            Noted::Recorded
        } else {
            Noted::DuplicateDelivery
        };
        prop_assert_eq!(noted, expected);
        Ok(())
    }

    /// A job, and the runner that GitHub gives it to; none of ours if `None`.
    fn runner_for(&self, job: u64, by: By) -> Option<(u64, Option<Runner>)> {
        let is_up = |runner| self.model.entry(runner).is_some_and(|entry| self.model.held(entry).is_some());
        let (own, others): (Vec<Runner>, Vec<Runner>) = self.runners.iter().partition(|runner| runner.0 == job);
        let up: Vec<Runner> = others.iter().copied().filter(|runner| is_up(*runner)).collect();
        let runner = match by {
            By::Foreign => return Some((job, None)),
            By::Own(which) => pick(&own, which).or(Some((job, 1))),
            By::Other(which) if which.is_multiple_of(RARELY) => pick(&others, which),
            By::Other(which) | By::Again(which) => pick(&up, which).or(pick(&others, which)),
        };
        runner.map(|runner| (job, Some(runner)))
    }

    pub(crate) async fn replay(&mut self, job: usize) -> Checked {
        let job = self.model.choose(job, &[JobState::Dead]);
        let one = DeadLetters { jobs: vec![job_id(job)], ..DeadLetters::default() };
        let replayed = self.store.queue.replay(&one).await.unwrap();
        let is_dead = self.model.state(job) == Some(JobState::Dead);
        if is_dead {
            let record = self.model.jobs.get_mut(&job).unwrap();
            (record.attempts, record.crashes, record.replays) = (0, 0, record.replays + 1);
            self.model.push(job, false);
            self.model.counts[pool_of(job)].replayed += 1;
        }
        prop_assert_eq!(!replayed.is_empty(), is_dead);
        Ok(())
    }

    pub(crate) async fn drop_dead(&mut self, job: usize) -> Checked {
        let job = self.model.choose(job, &[JobState::Dead]);
        let one = DeadLetters { jobs: vec![job_id(job)], ..DeadLetters::default() };
        let dropped = self.store.queue.drop_dead(&one).await.unwrap();
        let is_dead = self.model.state(job) == Some(JobState::Dead);
        if is_dead {
            self.model.close(job, JobState::Cancelled);
            self.model.counts[pool_of(job)].dropped += 1;
        }
        prop_assert_eq!(!dropped.is_empty(), is_dead);
        Ok(())
    }

    pub(crate) async fn limit(&mut self, pool: usize, limit: Limit, most: Option<u32>) -> Checked {
        let change = match limit {
            Limit::Pool => LimitChange::Pool(most),
            Limit::EachScope => LimitChange::EachScope(most),
            Limit::Scope(scope) => LimitChange::Scope(SCOPES[scope].parse().unwrap(), most),
        };
        let limits = self.store.queue.change_limit(&pool_name(pool), &change).await.unwrap();
        self.model.limits[pool].change(limit, most);
        prop_assert_eq!(limits.max_runners.map(|most| most as usize), Some(self.model.limits[pool].of_pool()));
        for (scope, name) in SCOPES.iter().enumerate() {
            let most = limits.of_scope(&name.parse().unwrap()).map_or(usize::MAX, |most| most as usize);
            prop_assert_eq!(most, self.model.limits[pool].of_scope(scope));
        }
        Ok(())
    }

    pub(crate) async fn set_limits(&mut self, which: usize) {
        self.store.queue.set_limits(&self.settings[which]).await.unwrap();
        for (pool, limits) in self.model.limits.iter_mut().enumerate() {
            limits.configure(which, pool);
        }
    }

    /// Of a store that nobody damaged, an audit repairs nothing.
    pub(crate) async fn audit(&mut self, pool: usize) -> Checked {
        let report = self.store.queue.audit_now(&pool_name(pool), LONG, u32::MAX).await.unwrap();
        prop_assert_eq!(report.repaired(), 0, "{:?}", report);
        prop_assert_eq!(report.given_up, self.model.give_up(pool));
        prop_assert_eq!(report.dead, self.model.count(pool, JobState::Dead) as u64);

        for (scope, name) in SCOPES.iter().enumerate() {
            let demand = self.store.queue.has_demand(&pool_name(pool), &name.parse().unwrap()).await.unwrap();
            prop_assert_eq!(demand, self.model.has_demand(pool, scope));
        }

        let startable = self.store.queue.has_startable(&pool_name(pool)).await.unwrap();
        prop_assert_eq!(startable, self.model.has_startable(pool));

        let status = self.store.queue.status().await.unwrap();
        let shown = status.pools.iter().find(|shown| shown.name.as_str() == POOLS[pool]).unwrap();
        let leased = |state| self.model.leased(pool).filter(|(_, is)| *is == state).count() as u64;
        let counted = [shown.starting, shown.running, shown.orphaned];
        prop_assert_eq!(counted, [JobState::Starting, JobState::Running, JobState::Orphaned].map(leased));
        let waiting = [JobState::Pending, JobState::Delayed, JobState::Dead];
        let waiting = waiting.map(|state| self.model.count(pool, state) as u64);
        prop_assert_eq!([shown.pending, shown.delayed, shown.dead], waiting);
        prop_assert_eq!(shown.warm, self.model.warm(pool));
        prop_assert_eq!(shown.limit, self.model.limits[pool].of_pool() as u64);
        Ok(())
    }
}
