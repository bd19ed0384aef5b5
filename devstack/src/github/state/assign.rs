//! Which runner gets which job.

use time::OffsetDateTime;

use super::{
    Choice, State,
    job::{Assignment, Job},
    runner::Runner,
};

impl State {
    /// Gives queued jobs, the oldest first, to runners that listen, cover their labels, and may take them.
    pub(super) fn assign(&mut self, now: OffsetDateTime) {
        let mut listening = self.runners.values().filter(|runner| runner.is_listening()).count();
        if listening == 0 {
            return; // thousands of jobs may wait, and this is asked at every change
        }
        for id in self.waiting.clone() {
            if listening == 0 {
                return;
            }
            let Some(runner) = self.choose(id) else { continue };
            let (Some(job), Some(runner)) = (self.jobs.get_mut(&id), self.runners.get_mut(&runner)) else { continue };
            job.assigned = Some(Assignment { runner: runner.id, at: now });
            job.assignments += 1;
            runner.job = Some(id);
            listening -= 1;
            self.waiting.retain(|waiting| *waiting != id);
        }
    }

    /// Takes a job from its runner and puts it in front of the queue.
    pub(super) fn requeue(&mut self, id: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some(runner) = job.assigned.take().and_then(|assigned| self.runners.get_mut(&assigned.runner)) {
            runner.job = None;
        }
        self.waiting.insert(0, id);
    }

    fn choose(&mut self, id: u64) -> Option<u64> {
        let job = self.jobs.get(&id)?;
        let mut fitting: Vec<&Runner> = self.runners.values().filter(|runner| self.fits(job, runner)).collect();
        fitting.sort_by_key(|runner| runner.session.as_ref().map(|session| session.listening));
        match self.choice {
            Choice::Longest => fitting.first().map(|runner| runner.id),
            Choice::Random(_) => self.rng.choice(fitting.iter()).map(|runner| runner.id),
        }
    }

    fn fits(&self, job: &Job, runner: &Runner) -> bool {
        let allowed =
            || self.groups.by_id(&runner.scope, runner.group.0).is_some_and(|group| group.allows(&job.repository));
        runner.is_listening() && job.belongs_to(&runner.scope) && job.is_covered_by(&runner.labels) && allowed()
    }
}
