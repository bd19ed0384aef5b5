//! What an error on the way to a runner leads to (DESIGN, section 7). Pure.

use std::time::Duration;

use shared::{
    backoff::Backoff,
    github::{GithubError, JobStatus, Kind},
    queue::{QueueError, Settlement},
    telemetry::chain,
};

use crate::{
    provider::ProviderError,
    runner::{JitError, settlement_of},
};

/// Why a runner could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// GitHub did not register it.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// GitHub registered it with a configuration that cannot be used.
    #[error(transparent)]
    Jit(#[from] JitError),
    /// The engine did not make its container.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The queue did not say what had to be known before going on.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The lease could not be extended for so long that another worker may hold the job.
    #[error("the lease could not be extended in time")]
    Stale,
    /// The lease ended while the container was being started: whoever holds the job now looks after it.
    #[error("the lease was lost while the runner was started")]
    Lost,
    /// The job was cancelled, or another runner took it, before its own was started.
    #[error("it was cancelled, or taken by another runner, before its own was started")]
    Cancelled,
    /// GitHub has no more use for a runner for it.
    #[error("GitHub wants no runner for it any more: it is {status:?} there")]
    Obsolete {
        /// How far it got at GitHub.
        status: JobStatus,
    },
    /// The pool of the job is not one of this worker's.
    #[error("pool {0} is not among this worker's pools; correct pools.toml, or AUTOSCALER_POOLS")]
    NoPool(shared::model::PoolName),
    /// The job waited too long.
    #[error("it waited {} s, longer than RUNNER_AUTOSCALE_TIMEOUT ({} s)", .waited.as_secs(), .most.as_secs())]
    TooOld {
        /// How long it has waited.
        waited: Duration,
        /// How long it may wait.
        most: Duration,
    },
}

impl Failure {
    /// How the job's lease ends, after `attempts` failed attempts.
    #[must_use]
    pub fn settlement(&self, attempts: u32) -> Settlement {
        let error = chain(self);
        let retry = |error| Settlement::Retry { delay: Backoff::JOB.jittered(attempts), error };
        match self {
            Self::Provider(provider) => settlement_of(provider, attempts, Backoff::JOB),
            Self::Github(github) => match github.kind() {
                Kind::Permanent => Settlement::Dead { error },
                Kind::Transient | Kind::NameTaken => retry(error),
                // With a spread, so that those who wait do not all come back in one moment.
                Kind::RateLimited { wait } => {
                    Settlement::Limited { delay: wait + Backoff::JOB.jittered(0), reason: error }
                }
            },
            Self::Jit(_) => retry(error),
            Self::Stale | Self::Lost | Self::Queue(_) => Settlement::Release { delay: Duration::ZERO, reason: error },
            Self::Cancelled | Self::Obsolete { .. } => Settlement::Cancelled { reason: error },
            Self::NoPool(_) | Self::TooOld { .. } => Settlement::Dead { error },
        }
    }

    /// How long nobody may start a job whose runner is registered with the same credential, because of GitHub's limits.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Github(github) => github.stop(),
            _ => None,
        }
    }

    /// Whether GitHub may have registered a runner all the same, or has one of that name.
    #[must_use]
    pub fn leaves_registration(&self) -> bool {
        match self {
            Self::Github(github) => github.may_have_happened() || github.kind() == Kind::NameTaken,
            Self::Jit(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_is_away_and_a_stale_lease_charge_no_attempt() {
        let away: Failure = ProviderError::unavailable("create", "connection refused").into();
        assert!(matches!(away.settlement(3), Settlement::Release { .. }));
        assert!(matches!(Failure::Stale.settlement(3), Settlement::Release { .. }));
    }

    #[test]
    fn a_job_that_waited_too_long_is_a_dead_letter_that_says_so() {
        let old = Failure::TooOld { waited: Duration::from_secs(82_801), most: Duration::from_hours(23) };
        let error = "it waited 82801 s, longer than RUNNER_AUTOSCALE_TIMEOUT (82800 s)".to_owned();
        assert_eq!(old.settlement(0), Settlement::Dead { error });
    }
}
