//! Takes up what workers left behind on this engine: runners whose worker was restarted or fell silent, containers that no live
//! record stands behind, and records behind which no container stands.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use shared::{
    model::{JobId, JobState},
    queue::{Adoption, Lease},
    telemetry::chain,
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};
use tracing::warn;

use crate::{
    context::Context,
    fulfil::RETIRE_AGAIN,
    keeper::Hold,
    provider::{Found, Provider, RunnerState},
};

/// Looks at the containers on this engine, from time to time.
#[derive(Debug)]
pub struct Janitor<P> {
    context: Arc<Context<P>>,
    /// Containers that had no live record when they were last looked at, by their ids.
    suspects: HashMap<String, Suspect>,
    /// Runners of this worker that the queue takes to be up, and that had no container when it was last looked: job and attempt.
    missing: HashSet<(JobId, u64)>,
    /// When the engine is tidied up next.
    tidy: Instant,
}

/// How often the engine is tidied up.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// A container without a live record.
#[derive(Debug)]
struct Suspect {
    /// When it may be retired: at the next look, for a worker removes a container before it closes the record, so one look alone
    /// might catch it in between; and after a try, not at once again.
    due: Instant,
    /// What it did then: a try that failed with a running one says nothing of one that has ended.
    state: RunnerState,
    /// Held while it is retired, which may take minutes.
    retiring: Arc<Mutex<()>>,
}

/// Held by who retires a container.
pub type Retiring = OwnedMutexGuard<()>;

/// What a look has brought.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Runners that are this worker's now, to be watched to their end.
    pub adopted: Vec<(Lease, Hold, Found)>,
    /// Containers without a live record, to be retired.
    pub abandoned: Vec<(Found, Retiring)>,
    /// Leases of this worker whose runners have no container any more.
    pub vanished: Vec<(Lease, Hold)>,
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
        Self { context, suspects: HashMap::new(), missing: HashSet::new(), tidy: Instant::now() }
    }

    /// Looks at all containers of runners on this engine that no task of this worker looks after, and adopts those it may.
    ///
    /// Not cancel-safe: what was adopted is in the answer.
    pub async fn sweep(&mut self) -> Sweep {
        let mut sweep = Sweep::default();
        self.tidy().await;
        let found = match self.context.report(self.context.provider.list().await) {
            Ok(found) => found,
            Err(error) => {
                warn!(error = %chain(&error), "Cannot look for runners that were left behind");
                return sweep;
            }
        };
        sweep.vanished = self.look_for_missing(&found).await;
        let mut before = std::mem::take(&mut self.suspects);
        for found in found {
            let attempt = found.attempt(&self.context.prefix);
            if self.context.keeper.holds(found.job, attempt) {
                continue;
            }
            let asked = Instant::now();
            let (id, suspect) = (found.runner.id.clone(), before.remove(&found.runner.id));
            match self.context.queue.adopt(&found.pool, &self.context.worker, found.job, attempt).await {
                Ok(Adoption::Adopted(lease)) => {
                    let hold = self.context.keeper.hold(&lease, asked);
                    sweep.adopted.push((*lease, hold, found));
                }
                Ok(Adoption::Refused(state)) if verdict(state) == Verdict::Abandoned => {
                    let (suspect, retiring) = Suspect::look(suspect, found.state, asked);
                    self.suspects.insert(id, suspect);
                    sweep.abandoned.extend(retiring.map(|retiring| (found, retiring)));
                }
                Ok(Adoption::Refused(_)) => {}
                Err(error) => {
                    warn!(job.id = %found.job, error = %chain(&error), "Cannot adopt the runner yet");
                    self.suspects.extend(suspect.map(|suspect| (id, suspect)));
                }
            }
        }
        sweep
    }

    /// The leases of this worker's runners that are not among `found`, twice in a row: one whose container was just made, or is just
    /// removed, is in the hands of another process of this name then.
    async fn look_for_missing(&mut self, found: &[Found]) -> Vec<(Lease, Hold)> {
        let Context { queue, worker, keeper, prefix, .. } = &*self.context;
        let before = std::mem::take(&mut self.missing);
        let mut vanished = Vec::new();
        for pool in self.context.pools.names() {
            let runners = match queue.runners_of(&pool, worker).await {
                Ok(runners) => runners,
                Err(error) => {
                    warn!(%pool, error = %chain(&error), "Cannot look for runners without a container");
                    continue;
                }
            };
            for (job, attempt) in runners {
                let is_there = |found: &Found| found.job == job && [0, attempt].contains(&found.attempt(prefix));
                if keeper.holds(job, attempt) || found.iter().any(is_there) {
                    continue;
                }
                if !before.contains(&(job, attempt)) {
                    self.missing.insert((job, attempt));
                    continue;
                }
                let asked = Instant::now();
                match queue.adopt(&pool, worker, job, attempt).await {
                    Ok(Adoption::Adopted(lease)) => {
                        let hold = keeper.hold(&lease, asked);
                        vanished.push((*lease, hold));
                    }
                    Ok(Adoption::Refused(_)) => {}
                    Err(error) => warn!(job.id = %job, error = %chain(&error), "Cannot take up the lost runner yet"),
                }
            }
        }
        vanished
    }

    /// Has what belongs to no runner any more removed, from time to time.
    async fn tidy(&mut self) {
        if self.tidy > Instant::now() {
            return;
        }
        self.tidy = Instant::now() + TIDY_EVERY;
        if let Err(error) = self.context.report(self.context.provider.tidy().await) {
            warn!(error = %chain(&error), "Cannot remove what belongs to no runner yet");
        }
    }
}

impl Suspect {
    /// What is known after a look, by what was known before; with the right to retire the container, if it is time.
    fn look(before: Option<Self>, state: RunnerState, now: Instant) -> (Self, Option<Retiring>) {
        let Some(before) = before else { return (Self { due: now, state, retiring: Arc::default() }, None) };
        let is_due = before.due <= now || before.state != state;
        match Arc::clone(&before.retiring).try_lock_owned() {
            Ok(_) if !is_due => (before, None),
            retiring => (Self { due: now + RETIRE_AGAIN, state, ..before }, retiring.ok()),
        }
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
    fn a_container_is_retired_by_one_at_a_time_and_after_a_pause_again() {
        let begun = Instant::now();
        let mut suspect = None;
        let mut look = |seconds, state| {
            let (now_known, retiring) = Suspect::look(suspect.take(), state, begun + Duration::from_secs(seconds));
            suspect = Some(now_known);
            retiring
        };
        assert!(look(0, RunnerState::Running).is_none(), "one look alone says nothing");
        let retiring = look(5, RunnerState::Running);
        assert!(retiring.is_some());
        for seconds in [10, 80, 100] {
            assert!(look(seconds, RunnerState::Running).is_none(), "it is being retired");
        }
        drop(retiring);
        assert!(look(105, RunnerState::Running).is_none() && look(159, RunnerState::Running).is_none());
        assert!(look(160, RunnerState::Running).is_some());
        assert!(look(165, RunnerState::Running).is_none());
        assert!(look(170, RunnerState::Exited).is_some(), "it has ended");
    }

    #[test]
    fn only_a_container_whose_job_has_ended_or_is_unknown_is_abandoned() {
        for state in JobState::ALL {
            let ended = matches!(state, JobState::Dead | JobState::Done | JobState::Cancelled | JobState::Unmatched);
            assert_eq!(verdict(Some(state)) == Verdict::Abandoned, ended, "{state}");
        }
        assert_eq!(verdict(None), Verdict::Abandoned);
    }
}
