//! What becomes of a runner that waits and gets no job.

use std::time::Duration;

use shared::{
    github::{JobStatus, Kind},
    queue::{Idle, Lease},
    telemetry::chain,
};
use tracing::debug;

use super::{
    job::Runner,
    warm::{ASK_EVERY, Candidate},
};
use crate::{context::Context, provider::Provider, runner::Retirement};

/// How long a runner waits for a job before it is asked whether it is still needed.
pub(super) const IDLE_MAX: Duration = Duration::from_mins(5);

/// How soon it is asked again, where other jobs wait that it can get.
pub(super) const ASK_AGAIN: Duration = Duration::from_mins(1);

/// How long it waits while its own job waits as well. GitHub gives a job to a runner within seconds, so by then it will not.
const UNASSIGNED_MAX: Duration = Duration::from_mins(10);

/// What is decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It may yet get a job: look again in this time.
    Stay(Duration),
    /// It is retired.
    Retire(Retirement),
}

/// `demand`: whether jobs wait in the queue that the runner can get. `own`: how far its own job got, as GitHub says.
fn decide(demand: bool, own: Option<JobStatus>, waited: Duration) -> Verdict {
    match own {
        _ if demand => Verdict::Stay(ASK_AGAIN),
        Some(JobStatus::Queued) if waited < UNASSIGNED_MAX => Verdict::Stay(IDLE_MAX),
        Some(JobStatus::Queued) => Verdict::Retire(Retirement::Unassigned),
        _ => Verdict::Retire(Retirement::NoDemand),
    }
}

/// How soon a runner that begins to wait for a job is asked.
pub(super) fn first_ask<P>(context: &Context<P>, lease: &Lease, warm: &Candidate) -> Duration {
    if warm.is_one(context, lease) { ASK_EVERY } else { IDLE_MAX }
}

/// Finds out whether a runner that has `waited` is still needed. When it cannot be found out, it is.
pub(super) async fn verdict<P: Provider>(
    context: &Context<P>,
    lease: &Lease,
    (runner, warm): (&Runner, &mut Candidate),
    waited: Duration,
) -> Verdict {
    let is_warm = warm.is_one(context, lease);
    let mut ask = async |job_is_gone| match warm.ask(context, lease, runner, job_is_gone).await {
        Idle::Own => None,
        Idle::Stay => Some(Verdict::Stay(ASK_EVERY)),
        Idle::Go => Some(Verdict::Retire(Retirement::NoDemand)),
    };
    if is_warm && let Some(verdict) = ask(false).await {
        return verdict;
    }
    if waited < IDLE_MAX {
        return Verdict::Stay(if is_warm { ASK_EVERY } else { IDLE_MAX.saturating_sub(waited) });
    }
    match needed_for_its_own(context, lease, waited).await {
        Verdict::Retire(Retirement::NoDemand) if is_warm => ask(true).await.unwrap_or(Verdict::Stay(ASK_EVERY)),
        verdict => verdict,
    }
}

/// The same of a runner that waits for its own job.
async fn needed_for_its_own<P>(context: &Context<P>, lease: &Lease, waited: Duration) -> Verdict {
    let demand = context.queue.has_demand(lease.pool(), &lease.job.scope).await.unwrap_or(true);
    if demand {
        return decide(true, None, waited);
    }
    let Some(repository) = &lease.job.repository else { return decide(false, None, waited) };
    match context.github.job(repository, lease.job_id()).await {
        Ok(job) => decide(false, Some(job.status), waited),
        Err(error) if matches!(error.kind(), Kind::RateLimited { .. }) => Verdict::Stay(ASK_AGAIN),
        Err(error) => {
            // A token need not be able to read jobs. Should the job wait after all, it comes again with its next delivery.
            debug!(error = %chain(&error), "Cannot ask GitHub whether the job still waits");
            decide(false, None, waited)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_stays_while_it_may_get_a_job() {
        for own in [None, Some(JobStatus::Queued), Some(JobStatus::Completed)] {
            assert_eq!(decide(true, own, Duration::from_hours(5)), Verdict::Stay(ASK_AGAIN));
        }
        assert_eq!(decide(false, Some(JobStatus::Queued), IDLE_MAX), Verdict::Stay(IDLE_MAX));
    }

    #[test]
    fn a_runner_without_demand_is_retired() {
        for own in [None, Some(JobStatus::Waiting), Some(JobStatus::InProgress), Some(JobStatus::Completed)] {
            assert_eq!(decide(false, own, IDLE_MAX), Verdict::Retire(Retirement::NoDemand));
        }
    }

    #[test]
    fn a_runner_that_github_gives_no_job_though_its_own_waits_is_a_failed_attempt() {
        let waited = UNASSIGNED_MAX;
        assert_eq!(decide(false, Some(JobStatus::Queued), waited), Verdict::Retire(Retirement::Unassigned));
    }
}
