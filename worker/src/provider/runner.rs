//! A runner's container, as a provider shows it.

use std::{collections::HashMap, fmt, time::Duration};

use shared::model::{DockerAccess, JobId, PoolName, RunnerId, RunnerName, RunnerNamePrefix, Scope, WorkerName};
use time::OffsetDateTime;

use crate::runner::label;

/// The exit code of what a signal ended is the signal's number and this.
const SIGNALS: i64 = 128;

/// The highest number of a signal.
const SIGNAL_MAX: u8 = 64;

/// Names one container, for as long as it is there.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RunnerHandle {
    /// The provider's own id of it.
    pub id: String,
    /// The runner's name, which is the container's too.
    pub name: RunnerName,
    /// What its jobs may do with Docker, and so what stands beside it.
    pub docker: DockerAccess,
    /// How long it is kept should the runner fail; not at all if none.
    pub keep_failed: Option<Duration>,
}

/// What a container does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RunnerState {
    /// It was never started.
    Created,
    /// It runs, or is about to end.
    Running,
    /// It has ended.
    Exited,
}

/// A container with our labels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The container.
    pub runner: RunnerHandle,
    /// The job that it was made for.
    pub job: JobId,
    /// Its pool.
    pub pool: PoolName,
    /// The worker that made it.
    pub worker: WorkerName,
    /// Where its runner registers.
    pub scope: Scope,
    /// GitHub's id of the runner, if it was registered with a JIT configuration.
    pub runner_id: Option<RunnerId>,
    /// What it does.
    pub state: RunnerState,
}

/// How a container ended. Its `Display` is what the job's record says of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exit {
    /// The exit code; that of a runner says nearly nothing.
    pub code: i64,
    /// Whether a process in it was killed because the container's memory was used up. Docker may miss that in the
    /// container's first and last moments.
    pub oom_killed: bool,
    /// What the engine says of it, such as why it could not be started.
    pub error: Option<String>,
    /// When it started, by the engine's clock.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended, by the engine's clock.
    pub finished_at: Option<OffsetDateTime>,
}

impl Found {
    /// Which attempt at its job it was made in, by its name; 0 for a name that is not as we give them.
    #[must_use]
    pub fn attempt(&self, prefix: &RunnerNamePrefix) -> u64 {
        self.runner.name.started_for(prefix).map_or(0, |(_, attempt)| attempt)
    }

    /// Reads a container's labels; `None` if one of ours is missing or odd: then it is none of our making.
    #[must_use]
    pub fn read(runner: RunnerHandle, state: RunnerState, labels: &HashMap<String, String>) -> Option<Self> {
        let read = |name: &str| labels.get(name).map(String::as_str);
        Some(Self {
            runner,
            job: read(label::JOB)?.parse().ok()?,
            pool: read(label::POOL)?.parse().ok()?,
            worker: read(label::WORKER)?.parse().ok()?,
            scope: read(label::SCOPE)?.parse().ok()?,
            runner_id: match read(label::RUNNER_ID) {
                Some(id) => Some(RunnerId(id.parse().ok()?)),
                None => None,
            },
            state,
        })
    }
}

impl Exit {
    /// Stands for the end of a container that somebody removed.
    #[must_use]
    pub fn removed() -> Self {
        Self { error: Some("somebody removed the container".to_owned()), ..Self::default() }
    }

    /// The signal that ended it, as its exit code has it.
    #[must_use]
    pub fn signal(&self) -> Option<u8> {
        u8::try_from(self.code - SIGNALS).ok().filter(|signal| (1..=SIGNAL_MAX).contains(signal))
    }

    /// Whether it ended as a program does that is asked to end.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.code == 0 && !self.oom_killed && self.error.is_none()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.code)?;
        if self.oom_killed {
            f.write_str(", out of memory (raise memory in [pool.docker])")?;
        }
        match &self.error {
            Some(error) => write!(f, ", {error}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_ours_only_with_all_our_labels() {
        let runner = RunnerHandle {
            id: "c0ffee".to_owned(),
            name: "gha-7-1".parse().unwrap(),
            docker: DockerAccess::None,
            keep_failed: None,
        };
        let labels = |runner_id: Option<&str>| -> HashMap<String, String> {
            [("job", "7"), ("pool", "default"), ("worker", "host"), ("scope", "octo/repo")]
                .into_iter()
                .chain(runner_id.map(|id| ("runner_id", id)))
                .map(|(name, value)| (format!("autoscaler.{name}"), value.to_owned()))
                .collect()
        };
        let read = |labels: &HashMap<String, String>| Found::read(runner.clone(), RunnerState::Created, labels);

        assert_eq!(read(&labels(Some("23"))).unwrap().runner_id, Some(RunnerId(23)));
        assert_eq!(read(&labels(None)).unwrap().runner_id, None);
        assert_eq!(read(&labels(Some("x"))), None);
        for missing in ["job", "pool", "worker", "scope"] {
            let mut labels = labels(None);
            labels.remove(&format!("autoscaler.{missing}"));
            assert_eq!(read(&labels), None, "{missing}");
        }
    }
}
