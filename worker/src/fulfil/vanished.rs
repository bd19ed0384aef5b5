//! What becomes of a job whose runner's container is gone though nobody here has seen its end: somebody removed it while its worker
//! was away, or the engine has lost it.

use std::sync::Arc;

use shared::{
    backoff::Backoff,
    github::JobStatus,
    model::{JobId, RepositoryName, RunnerName},
    queue::{Lease, Settlement},
    telemetry::chain,
};
use tracing::{debug, warn};

use super::{
    job::{learn_installation, settle},
    register::clean_up,
};
use crate::{cause::Cause, context::Context, keeper::Hold};

const GONE: &str =
    "its runner's container is gone: somebody removed it while its worker was away, or the engine has lost it";

/// Ends the lease of such a job by what GitHub says of it, and deletes what is left of the runner's registration.
pub async fn vanished<P>(context: Arc<Context<P>>, lease: Lease, hold: Hold) {
    learn_installation(&context, &lease);
    let name = RunnerName::new(&context.prefix, lease.job_id(), lease.id().attempt);
    let scope = lease.job.scope.clone();
    warn!(runner.name = %name, "The runner's container is gone");
    let settlement = match &lease.job.repository {
        Some(repository) => {
            let status = status(&context, repository, lease.job_id()).await;
            decide(status, has_run(&context, &lease).await, lease.attempts)
        }
        None => Settlement::Idle { detail: GONE.to_owned() }, // it was kept warm, and is replaced
    };
    settle(&context, lease, hold, settlement, Some(Cause::ContainerGone)).await;
    clean_up(&context.github, &scope, None, &name).await;
}

/// How far a job got, as GitHub says; `None` where it cannot be asked.
async fn status<P>(context: &Context<P>, repository: &RepositoryName, job: JobId) -> Option<JobStatus> {
    match context.github.job(repository, job).await {
        Ok(job) => Some(job.status),
        Err(error) => {
            debug!(error = %chain(&error), "Cannot ask GitHub what became of the job");
            None
        }
    }
}

/// Whether the last runner of the job had taken a job, as its record says.
async fn has_run<P>(context: &Context<P>, lease: &Lease) -> bool {
    let record = context.queue.job(lease.job_id()).await.ok().flatten();
    let events = record.map(|record| record.events).unwrap_or_default();
    events.iter().rev().take_while(|event| event.what != "reserved").any(|event| event.what == "running")
}

/// `status`: how far the job got, as GitHub says. A job that was taken is never started again.
fn decide(status: Option<JobStatus>, has_run: bool, attempts: u32) -> Settlement {
    match status {
        Some(JobStatus::Completed) => Settlement::Done { detail: format!("{GONE}; GitHub: completed") },
        Some(JobStatus::InProgress) => {
            Settlement::Done { detail: format!("{GONE}; GitHub still has the job in progress, and fails it soon") }
        }
        None if has_run => Settlement::Done { detail: format!("{GONE}; it had taken a job") },
        _ => Settlement::Retry { delay: Backoff::JOB.jittered(attempts), error: GONE.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_still_waits_is_tried_again_and_one_that_was_taken_is_not() {
        let starts_again = |status, has_run| matches!(decide(status, has_run, 0), Settlement::Retry { .. });
        for status in [JobStatus::Completed, JobStatus::InProgress] {
            assert!(!starts_again(Some(status), false) && !starts_again(Some(status), true));
        }
        // It took another job, by which its own waits.
        assert!(starts_again(Some(JobStatus::Queued), true));
        assert!(starts_again(None, false) && !starts_again(None, true));
    }
}
