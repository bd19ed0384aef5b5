//! What becomes of leases in the model.

use shared::model::JobState;

use super::{
    model::{ATTEMPTS_MAX, CRASHES_MAX, Entry, Hold, Model, Runner, WARM, pool_of, scope_of},
    operation::How,
};

impl Model {
    /// What holds a runner's slot, if it is somebody's.
    pub(crate) fn entry(&self, (job, attempt): Runner) -> Option<Entry> {
        let lost = self.jobs.get(&job)?.lost.contains(&attempt);
        Some(if lost { Entry::Lent((job, attempt)) } else { Entry::Own(job) })
    }

    /// An entry that has a lease.
    pub(crate) fn held(&self, entry: Entry) -> Option<(JobState, &Hold)> {
        match entry {
            Entry::Own(job) => {
                let job = self.jobs.get(&job)?;
                job.state.is_leased().then_some((job.state, &job.hold))
            }
            Entry::Lent(runner) => self.lent.get(&runner).map(|(state, hold)| (*state, hold)),
        }
    }

    pub(crate) fn held_mut(&mut self, entry: Entry) -> (&mut JobState, &mut Hold) {
        match entry {
            Entry::Own(job) => {
                let job = self.jobs.get_mut(&job).unwrap();
                (&mut job.state, &mut job.hold)
            }
            Entry::Lent(runner) => {
                let (state, hold) = self.lent.get_mut(&runner).unwrap();
                (state, hold)
            }
        }
    }

    /// What a lease is of, if it is still good.
    pub(crate) fn holds(&self, runner: Runner, epoch: u64) -> Option<Entry> {
        let entry = self.entry(runner)?;
        self.held(entry).filter(|(_, hold)| hold.epoch == epoch).map(|_| entry)
    }

    /// Leases a job that waits to a worker.
    pub(crate) fn lease(&mut self, id: u64, worker: usize) {
        self.withdraw(id);
        let job = self.jobs.get_mut(&id).unwrap();
        job.epochs += 1;
        job.state = JobState::Starting;
        job.hold = Hold { worker, attempt: job.epochs, epoch: job.epochs, ..Hold::default() };
    }

    /// Extends a lease; says whether its job was cancelled.
    pub(crate) fn extend(&mut self, entry: Entry) -> bool {
        self.run_out.retain(|other| *other != entry);
        let (state, _) = self.held_mut(entry);
        if *state == JobState::Orphaned {
            *state = JobState::Running;
        }
        matches!(entry, Entry::Own(job) if self.jobs[&job].cancel)
    }

    /// A runner that was made for a job has taken one.
    pub(crate) fn ran(&mut self, entry: Entry, job: u64) {
        self.held_mut(entry).1.busy = true;
        let stopped = &mut self.stopped[pool_of(job)];
        if stopped.is_some_and(|stop| stop.trial == Some(job)) {
            *stopped = None;
        }
    }

    /// Gives a runner's lease to a worker that found it, if it is to be had: its epoch then.
    pub(crate) fn adopt(&mut self, runner: Runner, worker: usize) -> Result<u64, Option<JobState>> {
        let Some(entry) = self.entry(runner) else { return Err(None) };
        let refused = matches!(entry, Entry::Own(_)).then(|| self.state(runner.0)).flatten();
        let (state, hold) = self.held(entry).ok_or(refused)?;
        if hold.attempt != runner.1 || (state != JobState::Orphaned && hold.worker != worker) {
            return Err(refused);
        }
        let job = self.jobs.get_mut(&runner.0).unwrap();
        job.epochs += 1;
        let epoch = job.epochs;
        let (state, hold) = self.held_mut(entry);
        *state = JobState::Running;
        (hold.worker, hold.epoch) = (worker, epoch);
        self.run_out.retain(|other| *other != entry);
        Ok(epoch)
    }

    /// Ends a lease as its holder says; the job's state then.
    pub(crate) fn settle(&mut self, entry: Entry, how: How) -> JobState {
        self.run_out.retain(|other| *other != entry);
        let Entry::Own(id) = entry else {
            self.end_lent(entry);
            return JobState::Done;
        };
        if id >= WARM {
            self.settle_warm(id, how);
            return JobState::Done;
        }
        let job = self.jobs.get_mut(&id).unwrap();
        match how {
            How::Done => self.close(id, JobState::Done),
            _ if job.left.is_some() => self.pass_on(id),
            _ if job.cancel || how == How::Cancelled => self.close(id, JobState::Cancelled),
            How::Idle => {
                job.idle = true;
                self.close(id, JobState::Done);
            }
            How::Retry if job.attempts + 1 < ATTEMPTS_MAX => {
                job.attempts += 1;
                job.state = JobState::Delayed;
            }
            How::ReleaseLater => job.state = JobState::Delayed,
            How::Release => self.push(id, true),
            How::Retry | How::Dead | How::Cancelled => {
                job.attempts += 1;
                self.bury(id);
            }
        }
        self.state(id).unwrap()
    }

    /// Ends the entry of a runner that took another job.
    pub(crate) fn end_lent(&mut self, entry: Entry) {
        let Entry::Lent(runner) = entry else { panic!("{entry:?}") };
        self.run_out.retain(|other| *other != entry);
        self.lent.remove(&runner).unwrap();
    }

    /// Brings back what is due in a pool.
    pub(crate) fn tend(&mut self, pool: usize) {
        for job in self.due.clone() {
            if pool_of(job) == pool {
                self.due.retain(|other| *other != job);
                self.push(job, false);
            }
        }
        if std::mem::take(&mut self.away[pool]) {
            self.grace[pool] = true;
        }
        if !self.grace[pool] {
            // What is brought back may bring back more, so each is looked at anew.
            for entry in self.run_out.clone() {
                if pool_of(entry.job()) == pool && self.run_out.contains(&entry) {
                    self.reap(entry);
                }
            }
        }
    }

    fn reap(&mut self, entry: Entry) {
        self.run_out.retain(|other| *other != entry);
        let (state, hold) = self.held_mut(entry);
        let (was, exited) = (*state, hold.exited);
        if was == JobState::Running && !exited {
            *state = JobState::Orphaned;
            return;
        }
        let Entry::Own(id) = entry else { return self.end_lent(entry) };
        if id >= WARM {
            return self.reap_warm(id, was);
        }
        let job = self.jobs.get_mut(&id).unwrap();
        if exited {
            return self.close(id, JobState::Done);
        }
        if job.left.is_some() {
            return self.pass_on(id);
        }
        job.crashes += u32::from(was == JobState::Starting);
        if job.cancel {
            self.close(id, JobState::Cancelled);
        } else if was == JobState::Orphaned || job.crashes >= CRASHES_MAX {
            self.bury(id);
        } else {
            self.push(id, true);
        }
    }

    /// What a worker that asks may be given: the jobs that are next in scopes that are to be served.
    pub(crate) fn next(&self, pool: usize) -> Vec<u64> {
        self.eligible(pool).iter().filter_map(|scope| self.lines[&(pool, *scope)].front().copied()).collect()
    }

    /// Gives up what has waited for too long; how many.
    pub(crate) fn give_up(&mut self, pool: usize) -> u64 {
        let old: Vec<u64> = self.old.iter().copied().filter(|job| pool_of(*job) == pool).collect();
        for job in &old {
            self.withdraw(*job);
            self.bury(*job);
        }
        old.len() as u64
    }

    /// Whether two jobs' runners register at the same place, with the same labels.
    pub(crate) fn alike(&self, one: u64, other: u64) -> bool {
        let known = |job| self.jobs.get(job).is_some_and(|job| !job.tombstone);
        known(&one) && known(&other) && pool_of(one) == pool_of(other) && scope_of(one) == scope_of(other)
    }
}
