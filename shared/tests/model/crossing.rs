//! What follows, in the model, from GitHub's giving jobs to runners.

use shared::{model::JobState, queue::ServedBy};

use super::{
    model::{Entry, Hold, Model, Runner, WARM, pool_of},
    world::job_id,
};

/// The name of a runner.
pub(crate) fn name((job, attempt): Runner) -> String {
    format!("gha-{}-{attempt}", job_id(job))
}

impl Model {
    /// A job runs, or ran. Says whether that was news of a job, or of its runner.
    pub(crate) fn served(&mut self, id: u64, runner: &str, by: ServedBy, completed: bool) -> bool {
        let other = match by {
            ServedBy::Other { job, attempt } => Some((job.get(), attempt)),
            _ => None,
        };
        let closed = self.close_served(id, runner, by, other, completed);
        if let (true, Some(other)) = (closed, other) {
            self.reopen(other, completed);
        }
        closed
    }

    /// Says whether the job's runner is the loss of the one that it was made for.
    fn close_served(&mut self, id: u64, runner: &str, by: ServedBy, other: Option<Runner>, completed: bool) -> bool {
        let ends_as = if matches!(by, ServedBy::Foreign) { JobState::Cancelled } else { JobState::Done };
        let own = matches!(by, ServedBy::Own { .. });
        let Some(job) = self.jobs.get_mut(&id) else {
            if !own {
                self.add(id, ends_as, true);
                self.jobs.get_mut(&id).unwrap().served_by = Some(runner.to_owned());
                self.counts[pool_of(id)].tombstones += 1;
            }
            return !own;
        };
        if let Some(served) = &job.served_by {
            return served == runner;
        }
        if job.state.is_leased() && matches!(by, ServedBy::Own { attempt } if attempt == job.hold.attempt) {
            if completed {
                self.ended(Entry::Own(id));
            }
            return false;
        }
        let is_open = !job.cancel && job.left.is_none();
        if job.state.is_leased() && is_open && other.is_some_and(|other| self.alike(id, other.0) && self.is_free(other))
        {
            self.jobs.get_mut(&id).unwrap().served_by = Some(runner.to_owned());
            self.set_free(id);
            return true;
        }
        if let Some(other) = other.filter(|other| self.leaves_a_runner(id, *other)) {
            self.jobs.get_mut(&id).unwrap().left = Some(other);
            self.jobs.get_mut(&other.0).unwrap().heir = Some((other.1, id));
            let is_last = self.jobs[&other.0].hold.attempt == other.1;
            if completed
                && is_last
                && let Some(entry) = self.entry(other)
            {
                self.ended(entry);
            }
            return false;
        }
        let job = self.jobs.get_mut(&id).unwrap();
        if job.state.is_leased() {
            job.cancel = true;
            if other.is_some() {
                job.served_by = Some(runner.to_owned());
            }
            return other.is_some();
        }
        job.served_by = Some(runner.to_owned());
        if matches!(job.state, JobState::Pending | JobState::Delayed | JobState::Dead) {
            self.withdraw(id);
            self.close(id, ends_as);
        }
        true
    }

    /// Whether a runner that the job needs no more would do for another.
    fn leaves_a_runner(&self, id: u64, other: Runner) -> bool {
        if !self.alike(id, other.0) {
            return false;
        }
        let job = &self.jobs[&id];
        if job.state.is_leased() {
            return self.jobs[&other.0].served_by.is_none();
        }
        job.left == Some(other)
            || (job.state == JobState::Done && job.left.is_none() && !self.is_free(other) && self.has_heir(id))
    }

    /// Whether the job that a job's last runner took has a runner on its way, which is left to this one, or to a third, and so on.
    fn has_heir(&self, id: u64) -> bool {
        let mut runner = (id, self.jobs[&id].hold.attempt);
        for _ in 0..16 {
            let Some((attempt, heir)) = self.jobs[&runner.0].heir else { return false };
            if attempt != runner.1 || self.jobs.get(&heir).is_none_or(|heir| heir.left != Some(runner)) {
                return false;
            }
            if self.jobs[&heir].state.is_leased() {
                return true;
            }
            runner = (heir, self.jobs[&heir].hold.attempt);
        }
        false
    }

    /// A runner has ended its work, as GitHub says.
    fn ended(&mut self, entry: Entry) {
        let Some((state, _)) = self.held(entry) else { return };
        if state != JobState::Orphaned {
            self.held_mut(entry).1.exited = true;
        } else if let Entry::Own(job @ WARM..) = entry {
            self.run_out.retain(|other| *other != entry);
            self.jobs.get_mut(&job).unwrap().state = JobState::Done;
        } else if let Entry::Own(job) = entry {
            self.run_out.retain(|other| *other != entry);
            self.close(job, JobState::Done);
        } else {
            self.end_lent(entry);
        }
    }

    /// A runner took another job than its own, which needs another runner then.
    fn reopen(&mut self, (id, attempt): Runner, completed: bool) {
        if self.is_free((id, attempt)) {
            let took = self.free_took((id, attempt));
            if let Some(entry) = took.filter(|_| completed) {
                self.ended(entry);
            }
            return;
        }
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.tombstone) else { return };
        if !job.lost.insert(attempt) {
            if completed {
                self.ended(Entry::Lent((id, attempt)));
            }
            return;
        }
        let held = job.state.is_leased();
        if job.hold.attempt != attempt || !(held || matches!(job.state, JobState::Done | JobState::Dead)) {
            return;
        }
        let (was, cancel, served, left) = (job.state, job.cancel, job.served_by.is_some(), job.left);
        if held {
            self.lend((id, attempt), completed);
        }
        if left.is_some() && !served {
            self.pass_on(id);
        } else if served || cancel {
            if held {
                self.close(id, if served { JobState::Done } else { JobState::Cancelled });
            }
        } else {
            if was == JobState::Done {
                self.revive(id);
            }
            self.push(id, true);
        }
    }

    /// A runner's slot is its own from now on, not its job's.
    fn lend(&mut self, runner: Runner, completed: bool) {
        let (own, lent) = (Entry::Own(runner.0), Entry::Lent(runner));
        let job = &self.jobs[&runner.0];
        let state = if job.state == JobState::Orphaned { job.state } else { JobState::Running };
        self.lent.insert(runner, (state, Hold { busy: true, ..job.hold.clone() }));
        self.run_out.iter_mut().filter(|entry| **entry == own).for_each(|entry| *entry = lent);
        if completed || self.lent[&runner].1.exited {
            self.ended(lent);
        }
    }

    /// A job's own runner came to nothing, or took a third job, after it ran on another's: that one has none now.
    pub(crate) fn pass_on(&mut self, id: u64) {
        let job = self.jobs.get_mut(&id).unwrap();
        let left = job.left.unwrap();
        job.served_by = Some(name(left));
        if job.state != JobState::Done {
            self.close(id, JobState::Done);
        }
        self.reopen(left, false);
    }
}
