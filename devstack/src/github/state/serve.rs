//! What happens to a job while a runner has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Conclusion, JobStatus, Key, State, TakenBy};

/// How much of a step's output is kept.
const LOG_BYTES_MAX: usize = 256 * 1024;

/// GitHub's words about a job whose runner fell silent.
const LOST: &str = "The self-hosted runner lost communication with the server.";

/// A job, as its runner gets it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Handed {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) script: String,
    pub(crate) env: BTreeMap<String, String>,
}

/// How a runner says that a job ended.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finished {
    pub(crate) conclusion: Conclusion,
    #[serde(default)]
    pub(crate) log: String,
}

/// The job is not this runner's, or no more.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Gone;

impl State {
    /// A runner begins with the job that it got.
    pub(crate) fn accept(&mut self, key: &Key, session: &str, id: u64, now: OffsetDateTime) -> Result<(), Gone> {
        let taken_by = self.holds(key, session, id, now)?;
        let job = self.jobs.get_mut(&id).ok_or(Gone)?;
        if job.status == JobStatus::Queued {
            job.status = JobStatus::InProgress;
            job.started_at = Some(now);
            job.taken_by = Some(taken_by);
            self.announce(id);
        }
        Ok(())
    }

    /// A runner is still at it. Returns whether it shall stop, because the job was cancelled.
    pub(crate) fn renew(&mut self, key: &Key, session: &str, id: u64, now: OffsetDateTime) -> Result<bool, Gone> {
        self.holds(key, session, id, now)?;
        self.jobs.get(&id).map(|job| job.cancel).ok_or(Gone)
    }

    /// A runner has ended its job. If it is ephemeral, its registration vanishes.
    pub(crate) fn finish(
        &mut self,
        key: &Key,
        session: &str,
        id: u64,
        finished: &Finished,
        now: OffsetDateTime,
    ) -> Result<(), Gone> {
        let runner = self.holds(key, session, id, now)?.id;
        let job = self.jobs.get_mut(&id).filter(|job| job.status == JobStatus::InProgress).ok_or(Gone)?;
        job.log = finished.log.chars().take(LOG_BYTES_MAX).collect();
        self.complete(id, finished.conclusion, now);
        if self.runners.get(&runner).is_some_and(|runner| runner.ephemeral) {
            self.runners.remove(&runner);
        }
        Ok(())
    }

    /// Ends a job that was not ended before, and frees its runner.
    pub(super) fn complete(&mut self, id: u64, conclusion: Conclusion, now: OffsetDateTime) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.status != JobStatus::Completed) else { return };
        job.status = JobStatus::Completed;
        job.conclusion = Some(conclusion);
        job.completed_at = Some(now);
        if let Some(runner) = job.assigned.take().and_then(|assigned| self.runners.get_mut(&assigned.runner)) {
            runner.job = None;
            if let Some(session) = &mut runner.session {
                session.listening = now;
            }
        }
        self.waiting.retain(|waiting| *waiting != id);
        self.announce(id);
        self.assign(now);
    }

    /// A runner is gone for good: the job that it ran has failed, and one that it had not begun goes to another.
    pub(super) fn abandon(&mut self, id: u64, now: OffsetDateTime) {
        if self.is_accepted(id) {
            if let Some(job) = self.jobs.get_mut(&id) {
                LOST.clone_into(&mut job.log);
            }
            self.complete(id, Conclusion::Failure, now);
        } else {
            self.requeue(id);
            self.assign(now);
        }
    }

    pub(super) fn is_accepted(&self, id: u64) -> bool {
        self.jobs.get(&id).is_some_and(|job| job.status != JobStatus::Queued)
    }

    pub(super) fn handed(&self, id: u64) -> Option<Handed> {
        let job = self.jobs.get(&id)?;
        let mut env = job.env.clone();
        env.extend([
            ("CI".to_owned(), "true".to_owned()),
            ("GITHUB_ACTIONS".to_owned(), "true".to_owned()),
            ("GITHUB_JOB".to_owned(), job.name.clone()),
            ("GITHUB_REPOSITORY".to_owned(), job.repository.clone()),
            ("GITHUB_RUN_ATTEMPT".to_owned(), job.run_attempt.to_string()),
            ("GITHUB_RUN_ID".to_owned(), job.run_id.to_string()),
        ]);
        Some(Handed { id, name: job.name.clone(), script: job.script.clone(), env })
    }

    /// Who the runner is, if the job is its own.
    fn holds(&mut self, key: &Key, session: &str, id: u64, now: OffsetDateTime) -> Result<TakenBy, Gone> {
        let runner = self.connected(key, session, now).map_err(|_| Gone)?;
        if runner.job != Some(id) {
            return Err(Gone);
        }
        let (group_id, group_name) = runner.group.clone();
        Ok(TakenBy { id: runner.id, name: runner.name.clone(), group_id, group_name })
    }
}
