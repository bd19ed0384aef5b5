//! Why attempts at a job come to nothing, in so few words that they can be counted by them.

use shared::github::{GithubError, Kind};

use crate::{fulfil::Failure, provider::ProviderError, runner::Outcome};

/// Why an attempt came to nothing, and the job waits again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// GitHub's limits leave no room.
    GithubLimited,
    /// GitHub did not answer, or is out of order.
    GithubFailed,
    /// GitHub knows a runner of that name.
    NameTaken,
    /// The engine does not answer.
    EngineAway,
    /// The engine did not make or start the container.
    EngineRefused,
    /// The image is not to be had.
    ImageAbsent,
    /// The container is gone, and nobody here has removed it.
    ContainerGone,
    /// The queue did not answer, or the lease could not be extended in time.
    QueueAway,
    /// Its worker ended before the runner was started.
    WorkerEnded,
    /// The runner ended before it listened.
    NeverListened,
    /// The runner ended while it waited for a job.
    RunnerEnded,
    /// GitHub had deleted the runner's registration.
    RegistrationDeleted,
    /// GitHub gives no jobs to runners of that version.
    RunnerOutdated,
    /// GitHub gave the runner no job though its own waits.
    Unassigned,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::GithubLimited,
        Self::GithubFailed,
        Self::NameTaken,
        Self::EngineAway,
        Self::EngineRefused,
        Self::ImageAbsent,
        Self::ContainerGone,
        Self::QueueAway,
        Self::WorkerEnded,
        Self::NeverListened,
        Self::RunnerEnded,
        Self::RegistrationDeleted,
        Self::RunnerOutdated,
        Self::Unassigned,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GithubLimited => "github_limited",
            Self::GithubFailed => "github_failed",
            Self::NameTaken => "name_taken",
            Self::EngineAway => "engine_away",
            Self::EngineRefused => "engine_refused",
            Self::ImageAbsent => "image_absent",
            Self::ContainerGone => "container_gone",
            Self::QueueAway => "queue_away",
            Self::WorkerEnded => "worker_ended",
            Self::NeverListened => "never_listened",
            Self::RunnerEnded => "runner_ended",
            Self::RegistrationDeleted => "registration_deleted",
            Self::RunnerOutdated => "runner_outdated",
            Self::Unassigned => "unassigned",
        }
    }

    /// Of an attempt that got no runner; none of what is not tried again.
    #[must_use]
    pub fn of_failure(failure: &Failure) -> Option<Self> {
        match failure {
            Failure::Github(github) => Self::of_github(github),
            Failure::Jit(_) => Some(Self::GithubFailed),
            Failure::Provider(provider) => Some(Self::of_provider(provider)),
            Failure::Queue(_) | Failure::Stale | Failure::Lost => Some(Self::QueueAway),
            Failure::Cancelled | Failure::Obsolete { .. } | Failure::NoPool(_) | Failure::TooOld { .. } => None,
        }
    }

    /// Of an attempt whose runner came to this; none of one that was of use, or is not made again.
    #[must_use]
    pub const fn of_outcome(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Done { .. } | Outcome::Idle => None,
            Outcome::Unassigned => Some(Self::Unassigned),
            Outcome::EndedIdle { .. } => Some(Self::RunnerEnded),
            Outcome::NeverListened { .. } => Some(Self::NeverListened),
            Outcome::RegistrationDeleted { .. } => Some(Self::RegistrationDeleted),
            Outcome::Deprecated { .. } => Some(Self::RunnerOutdated),
        }
    }

    fn of_github(error: &GithubError) -> Option<Self> {
        match error.kind() {
            Kind::Permanent => None,
            Kind::RateLimited { .. } => Some(Self::GithubLimited),
            Kind::Transient => Some(Self::GithubFailed),
            Kind::NameTaken => Some(Self::NameTaken),
        }
    }

    const fn of_provider(error: &ProviderError) -> Self {
        match error {
            ProviderError::Unavailable { .. } => Self::EngineAway,
            ProviderError::ImageAbsent { .. } => Self::ImageAbsent,
            ProviderError::Refused { .. } => Self::EngineRefused,
            ProviderError::Gone => Self::ContainerGone,
        }
    }
}
