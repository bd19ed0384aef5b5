//! Lists of jobs.

use std::cmp::Reverse;

use redis::cmd;

use super::{Queue, job_ids, keys};
use crate::{
    model::{JobId, JobState, PoolName},
    queue::{JobRecord, QueueError},
};

/// How many jobs are read with one call to the store.
const PAGE: usize = 200;

/// The zsets of a pool that a job in `state` is in, each by a time.
fn sets(state: Option<JobState>) -> &'static [&'static str] {
    match state {
        None => &["queued", "delayed", "lease", "dead", "ended"],
        Some(JobState::Pending) => &["queued"],
        Some(JobState::Delayed) => &["delayed"],
        Some(JobState::Starting | JobState::Running | JobState::Orphaned) => &["lease"],
        Some(JobState::Dead) => &["dead"],
        Some(JobState::Done | JobState::Cancelled) => &["ended"],
        Some(JobState::Unmatched) => &[],
    }
}

impl Queue {
    /// At most `most` jobs in a state, or in any: the newest first, by when they came.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn jobs(&self, state: Option<JobState>, most: usize) -> Result<Vec<JobRecord>, QueueError> {
        let mut jobs = Vec::new();
        for pool in self.pools().await? {
            for set in sets(state) {
                jobs.extend(self.jobs_in(&keys::prefix(&pool), Some(&pool), set, (state, most)).await?);
            }
        }
        if matches!(state, None | Some(JobState::Unmatched)) {
            jobs.extend(self.jobs_in(keys::UNMATCHED, None, "ended", (state, most)).await?);
        }
        jobs.sort_by_key(|job| Reverse((job.enqueued_at, job.id)));
        jobs.dedup_by_key(|job| job.id); // one may have gone from set to set meanwhile
        jobs.truncate(most);
        self.tell_why_pending(&mut jobs).await?;
        Ok(jobs)
    }

    /// At most `most` jobs of one set, the last in it first.
    async fn jobs_in(
        &self,
        prefix: &str,
        pool: Option<&PoolName>,
        set: &str,
        (state, most): (Option<JobState>, usize),
    ) -> Result<Vec<JobRecord>, QueueError> {
        let mut jobs = Vec::new();
        let mut from = 0;
        while jobs.len() < most {
            let range =
                cmd("ZRANGE").arg(format!("{prefix}{set}")).arg(from).arg(from + PAGE - 1).arg("REV").to_owned();
            let entries: Vec<String> = self.store.query(&range).await?;
            if entries.is_empty() {
                break;
            }
            from += entries.len();
            // A runner that took another job than its own has an entry of its own, which is no job.
            let ids: Vec<JobId> = job_ids(&entries);
            let records = self.records(prefix, pool, &ids).await?;
            jobs.extend(records.into_iter().filter(|job| state.is_none_or(|state| job.state == state)));
        }
        jobs.truncate(most);
        Ok(jobs)
    }
}
