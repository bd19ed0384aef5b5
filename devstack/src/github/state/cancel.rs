//! Cancelling a job.

use time::OffsetDateTime;

use super::{Conclusion, JobStatus, State};

impl State {
    /// Cancels a job: at once when no runner has taken it, or else once its runner has stopped. Returns whether there
    /// was something to cancel.
    pub(crate) fn cancel_job(&mut self, id: u64, now: OffsetDateTime) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        match job.status {
            JobStatus::Completed => return false,
            JobStatus::InProgress => job.cancel = true,
            JobStatus::Queued => self.complete(id, Conclusion::Cancelled, now),
        }
        true
    }
}
