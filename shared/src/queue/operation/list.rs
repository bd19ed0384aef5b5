//! Lists of jobs.

use std::collections::HashSet;

use super::Queue;
use crate::{
    model::JobState,
    queue::{JobFilter, JobRecord, QueueError},
};

/// How many jobs are read at once, so that a call to the store takes no long time.
const PAGE: usize = 500;

impl Queue {
    /// At most `most` jobs in a state, or in any: those that run, then those that wait, then dead letters and what has ended, the
    /// newest of each in front.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn jobs(&self, state: Option<JobState>, most: usize) -> Result<Vec<JobRecord>, QueueError> {
        let filter = JobFilter { states: state.into_iter().collect(), ..JobFilter::default() };
        let mut jobs: Vec<JobRecord> = Vec::new();
        let mut known = HashSet::new(); // one may go from set to set meanwhile
        let mut from = None;
        while jobs.len() < most {
            let page = self.find(&filter, from, (most - jobs.len()).min(PAGE)).await?;
            jobs.extend(page.jobs.into_iter().filter(|job| known.insert(job.id)));
            from = page.more;
            if from.is_none() {
                break;
            }
        }
        Ok(jobs)
    }
}
