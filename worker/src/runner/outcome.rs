//! What came of a runner: what was seen of it, and how its container ended.

use std::fmt;

use super::{JobResult, Observed};
use crate::provider::Exit;

/// What came of a runner. Its `Display` is what the job's record says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It took a job, whatever became of that.
    Done {
        /// The name of the job that it took.
        job: String,
        /// How the job ended; `None` when the runner ended before it could say.
        result: Option<JobResult>,
        /// How the container ended.
        exit: Exit,
    },
    /// It waited for a job until it was retired, and found none.
    Idle,
    /// The same, while its own job waited at GitHub as well.
    Unassigned,
    /// It waited for a job, and ended though nobody retired it: the job may still be waiting.
    EndedIdle {
        /// How the container ended.
        exit: Exit,
    },
    /// It ended before it could wait for a job.
    NeverListened {
        /// How the container ended.
        exit: Exit,
        /// The last thing that it said, if it said anything.
        why: Option<String>,
    },
    /// GitHub had deleted its registration.
    RegistrationDeleted {
        /// Whether it had waited for a job by then.
        listened: bool,
    },
    /// GitHub gives no jobs to runners of its version.
    Deprecated {
        /// Its version, if it said it.
        version: Option<String>,
    },
}

/// The exit code of a runner that GitHub gives no jobs because of its version, if it is told to say so (`RunnerSpec::environment`).
const DEPRECATED: i64 = 7;

/// Why a runner without a job is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retirement {
    /// No job waits that it could get.
    NoDemand,
    /// Its own job waits, and GitHub does not give it to it.
    Unassigned,
}

impl Observed {
    /// What came of the runner whose container has ended. `retired` says why it was stopped, if that was on purpose because there
    /// was no job for it.
    #[must_use]
    pub fn outcome(&self, exit: &Exit, retired: Option<Retirement>) -> Outcome {
        let exit = exit.clone();
        // A job that was taken comes first: whatever followed, it must not be started a second time.
        if let Some(job) = &self.running {
            return Outcome::Done { job: job.clone(), result: self.completed.clone(), exit };
        }
        // Anything else in the container may end with that code as well, such as a `curl` before the runner is started.
        if self.deprecated.is_some() || (exit.code == DEPRECATED && self.version.is_some()) {
            return Outcome::Deprecated { version: self.deprecated.clone().or_else(|| self.version.clone()) };
        }
        match retired {
            Some(Retirement::NoDemand) => return Outcome::Idle,
            Some(Retirement::Unassigned) => return Outcome::Unassigned,
            None => {}
        }
        if self.registration_deleted {
            return Outcome::RegistrationDeleted { listened: self.listening };
        }
        if self.listening {
            return Outcome::EndedIdle { exit };
        }
        Outcome::NeverListened { exit, why: self.connect_error.clone().or_else(|| self.last.clone()) }
    }
}

impl Outcome {
    /// Whether the runner failed, whatever became of its job: it got none though one waited, or could not tell how that ended.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Done { result: Some(_), exit, .. } => !exit.is_clean(),
            Self::Idle => false,
            _ => true,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { job, result: Some(result), .. } => write!(f, "the runner ran {job:?}: {result}"),
            Self::Done { job, result: None, exit } => {
                write!(f, "the runner took {job:?} and ended before it told a result: {exit}")
            }
            Self::Idle => f.write_str("the runner found no job and was retired"),
            Self::Unassigned => f.write_str(
                "GitHub gave the runner no job though this one waits: see whether the runner group admits the repository, and \
                 whether the runner has all of the job's labels",
            ),
            Self::EndedIdle { exit } => write!(f, "the runner ended while it waited for a job: {exit}"),
            Self::NeverListened { exit, why: Some(why) } => {
                write!(f, "the runner ended before it listened for jobs: {exit}; it said {why:?}")
            }
            Self::NeverListened { exit, why: None } => {
                write!(f, "the runner ended before it listened for jobs: {exit}; it said nothing")
            }
            Self::RegistrationDeleted { .. } => f.write_str("GitHub had deleted the runner's registration"),
            Self::Deprecated { version: Some(version) } => {
                write!(f, "GitHub gives no jobs any more to a runner of version {version}")
            }
            Self::Deprecated { version: None } => f.write_str("GitHub gives no jobs any more to a runner of its version"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDLESS: Option<Retirement> = Some(Retirement::NoDemand);
    const LISTENING: &str = "2026-01-31 10:00:00Z: Listening for Jobs";
    const RUNNING: &str = "2026-01-31 10:00:01Z: Running job: build";
    const COMPLETED: &str = "2026-01-31 10:00:09Z: Job build completed with result: Failed";
    const DELETED: &str = "Failed to create a session. The runner registration has been deleted from the server.";

    fn outcome(lines: &[&str], exit: &Exit, retired: Option<Retirement>) -> Outcome {
        let mut observed = Observed::default();
        for line in lines {
            observed.observe(line);
        }
        observed.outcome(exit, retired)
    }

    #[test]
    fn a_runner_that_took_a_job_is_done_whatever_its_exit() {
        for exit in [Exit::default(), Exit { code: 137, oom_killed: true, ..Exit::default() }] {
            let done = |result| Outcome::Done { job: "build".to_owned(), result, exit: exit.clone() };
            assert_eq!(outcome(&[LISTENING, RUNNING, COMPLETED], &exit, None), done(Some(JobResult::Failed)));
            assert_eq!(outcome(&[LISTENING, RUNNING], &exit, NEEDLESS), done(None));
            assert_eq!(outcome(&[LISTENING, RUNNING, DELETED], &exit, None), done(None));
        }
    }

    #[test]
    fn a_runner_without_a_job_says_what_kept_it_from_one() {
        let exit = Exit { code: 1, ..Exit::default() };
        let never = |why: Option<&str>| Outcome::NeverListened { exit: exit.clone(), why: why.map(str::to_owned) };

        assert_eq!(outcome(&[], &exit, None), never(None));
        assert_eq!(outcome(&["sh: not found", ""], &exit, None), never(Some("sh: not found")));
        let unreachable = ["Runner connect error: No route", "bye"];
        assert_eq!(outcome(&unreachable, &exit, None), never(Some("No route")));
        assert_eq!(outcome(&[LISTENING], &exit, None), Outcome::EndedIdle { exit: exit.clone() });
        assert_eq!(outcome(&[LISTENING], &exit, NEEDLESS), Outcome::Idle);
        assert_eq!(outcome(&[LISTENING], &exit, Some(Retirement::Unassigned)), Outcome::Unassigned);
        assert_eq!(outcome(&[DELETED], &exit, None), Outcome::RegistrationDeleted { listened: false });
        let deprecated = "Runner version v2.1.0 is deprecated and cannot receive messages.";
        assert_eq!(outcome(&[deprecated], &exit, None), Outcome::Deprecated { version: Some("2.1.0".to_owned()) });
    }

    #[test]
    fn a_runner_that_is_too_old_may_say_so_by_its_exit_code_alone() {
        let exit = Exit { code: DEPRECATED, ..Exit::default() };
        let version = "Current runner version: '2.1.0'";
        let deprecated = Outcome::Deprecated { version: Some("2.1.0".to_owned()) };
        assert_eq!(outcome(&[version, LISTENING], &exit, None), deprecated);
        assert!(matches!(outcome(&[version, LISTENING, RUNNING], &exit, None), Outcome::Done { .. }));
        let why = Some("curl: (7) Failed to connect".to_owned());
        let never = outcome(&["curl: (7) Failed to connect"], &exit, None);
        assert_eq!(never, Outcome::NeverListened { exit, why }, "it never came to the runner");
    }

    #[test]
    fn the_record_says_that_memory_ran_out() {
        let exit = Exit { code: 137, oom_killed: true, ..Exit::default() };
        let said = outcome(&[LISTENING, RUNNING], &exit, None).to_string();
        assert_eq!(
            said,
            "the runner took \"build\" and ended before it told a result: exit code 137, out of memory \
             (raise memory in [pool.docker])"
        );
    }
}
