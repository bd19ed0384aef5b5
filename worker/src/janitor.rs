//! Takes up what workers left behind on this engine: runners whose worker was restarted or fell silent, and containers
//! that no live record stands behind.

use std::{collections::HashSet, sync::Arc};

use shared::{
    model::JobState,
    queue::{Adoption, Lease},
    telemetry::chain,
};
use tracing::warn;

use crate::{
    context::Context,
    provider::{Found, Provider},
};

/// Looks at the containers on this engine, from time to time.
#[derive(Debug)]
pub struct Janitor<P> {
    context: Arc<Context<P>>,
    /// The ids of containers that had no live record when they were last looked at. A worker removes a container
    /// before it closes the record, so one look alone might catch it in between.
    suspects: HashSet<String>,
}

/// What a look has brought.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Runners that are this worker's now, to be watched to their end.
    pub adopted: Vec<(Lease, Found)>,
    /// Containers without a live record, to be retired.
    pub abandoned: Vec<Found>,
}

/// What is to be done about a container that nobody here works on. Pure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// Its job is in good hands, or will find it.
    Leave,
    /// Nobody will come for it.
    Abandoned,
}

impl<P: Provider> Janitor<P> {
    /// A janitor who has not looked yet.
    #[must_use]
    pub fn new(context: Arc<Context<P>>) -> Self {
        Self { context, suspects: HashSet::new() }
    }

    /// Looks at all containers of runners on this engine that no task of this worker looks after, and adopts those it may.
    ///
    /// Not cancel-safe: what was adopted is in the answer.
    pub async fn sweep(&mut self) -> Sweep {
        let mut sweep = Sweep::default();
        let found = match self.context.report(self.context.provider.list().await) {
            Ok(found) => found,
            Err(error) => {
                warn!(error = %chain(&error), "Cannot look for runners that were left behind");
                return sweep;
            }
        };
        let mut suspects = HashSet::new();
        for found in found {
            let attempt = found.attempt(&self.context.prefix);
            if self.context.keeper.holds(found.job, attempt) {
                continue;
            }
            match self.context.queue.adopt(&found.pool, &self.context.worker, found.job, attempt).await {
                Ok(Adoption::Adopted(lease)) => sweep.adopted.push((*lease, found)),
                Ok(Adoption::Refused(state)) if verdict(state) == Verdict::Abandoned => {
                    if self.suspects.contains(&found.runner.id) {
                        sweep.abandoned.push(found);
                    } else {
                        suspects.insert(found.runner.id);
                    }
                }
                Ok(Adoption::Refused(_)) => {}
                Err(error) => {
                    warn!(job.id = %found.job, error = %chain(&error), "Cannot adopt the runner yet");
                }
            }
        }
        self.suspects = suspects;
        sweep
    }
}

/// A container whose job waits is found by whoever reserves the job; one whose job is leased has its worker.
fn verdict(state: Option<JobState>) -> Verdict {
    match state {
        Some(JobState::Pending | JobState::Delayed) => Verdict::Leave,
        Some(state) if state.is_leased() => Verdict::Leave,
        Some(_) | None => Verdict::Abandoned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_container_whose_job_has_ended_or_is_unknown_is_abandoned() {
        for state in JobState::ALL {
            let ended = matches!(state, JobState::Dead | JobState::Done | JobState::Cancelled | JobState::Unmatched);
            assert_eq!(verdict(Some(state)) == Verdict::Abandoned, ended, "{state}");
        }
        assert_eq!(verdict(None), Verdict::Abandoned);
    }
}
