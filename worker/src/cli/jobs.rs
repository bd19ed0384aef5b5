//! `worker jobs`

use clap::Args;
use shared::{model::JobState, queue::JobRecord};

use super::table::{aligned, cut, moment, or_dash};
use crate::config::Settings;

/// Lists jobs: those that run in front, then those that wait, the newest of each first.
#[derive(Args, Debug)]
pub(super) struct Jobs {
    /// Only those in this state: pending, starting, running, orphaned, delayed, dead, done, cancelled or unmatched
    #[arg(long)]
    state: Option<JobState>,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl Jobs {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let jobs = settings.queue.jobs(self.state, self.limit).await?;
        anstream::println!("{}", if json { serde_json::to_string(&jobs)? } else { list(&jobs) });
        Ok(())
    }
}

/// The most characters of a reason that a list shows; `worker job ID` shows all of it.
const REASON_CHARS: usize = 80;

/// A line for each job.
pub(super) fn list(jobs: &[JobRecord]) -> String {
    let mut rows = vec![["JOB", "STATE", "POOL", "REPOSITORY", "ENQUEUED", "REASON"].map(str::to_owned)];
    rows.extend(jobs.iter().map(|job| {
        [
            job.id.to_string(),
            job.state.to_string(),
            or_dash(job.pool.as_ref()),
            or_dash(job.repository.as_ref()),
            job.enqueued_at.map_or_else(|| "-".to_owned(), moment),
            cut(job.error.as_deref().filter(|_| job.state == JobState::Dead).unwrap_or(&job.reason), REASON_CHARS),
        ]
    }));
    aligned(&rows, &[])
}
