//! What happens because time passes.

use time::OffsetDateTime;

use super::{JobStatus, State};

impl State {
    /// Requeues jobs that were not picked up in time, and gives up runners that have been silent for too long. Returns
    /// whether anything changed.
    pub(crate) fn tick(&mut self, now: OffsetDateTime) -> bool {
        let late = self.late(now);
        let silent = self.silent(now);
        for &id in &late {
            self.requeue(id);
        }
        for &id in &silent {
            let Some(runner) = self.runners.get_mut(&id) else { continue };
            runner.session = None;
            let job = runner.job;
            // One that was not picked up has its own time.
            if let Some(job) = job.filter(|job| self.is_accepted(*job)) {
                self.abandon(job, now);
            }
        }
        self.assign(now);
        !late.is_empty() || !silent.is_empty()
    }

    fn late(&self, now: OffsetDateTime) -> Vec<u64> {
        let queued = self.jobs.values().filter(|job| job.status == JobStatus::Queued);
        let late = queued.filter(|job| job.assigned.as_ref().is_some_and(|it| it.at + self.timings.pick_up <= now));
        late.map(|job| job.id).collect()
    }

    fn silent(&self, now: OffsetDateTime) -> Vec<u64> {
        let silent = self.runners.values().filter(|runner| {
            let session = runner.session.as_ref();
            session.is_some_and(|session| session.polls == 0 && session.seen + self.timings.silence <= now)
        });
        silent.map(|runner| runner.id).collect()
    }
}
