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
        /// Its version.
        version: String,
    },
}

impl Observed {
    /// What came of the runner whose container has ended. `retired` says whether it was stopped on purpose, because
    /// no job was left for it.
    #[must_use]
    pub fn outcome(&self, exit: &Exit, retired: bool) -> Outcome {
        let exit = exit.clone();
        // A job that was taken comes first: whatever followed, it must not be started a second time.
        if let Some(job) = &self.running {
            return Outcome::Done { job: job.clone(), result: self.completed.clone(), exit };
        }
        if let Some(version) = &self.deprecated {
            return Outcome::Deprecated { version: version.clone() };
        }
        if retired {
            return Outcome::Idle;
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

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { job, result: Some(result), .. } => write!(f, "the runner ran {job:?}: {result}"),
            Self::Done { job, result: None, exit } => {
                write!(f, "the runner took {job:?} and ended before it told a result: {exit}")
            }
            Self::Idle => f.write_str("the runner found no job and was retired"),
            Self::EndedIdle { exit } => write!(f, "the runner ended while it waited for a job: {exit}"),
            Self::NeverListened { exit, why: Some(why) } => {
                write!(f, "the runner ended before it listened for jobs: {exit}; it said {why:?}")
            }
            Self::NeverListened { exit, why: None } => {
                write!(f, "the runner ended before it listened for jobs: {exit}; it said nothing")
            }
            Self::RegistrationDeleted { .. } => f.write_str("GitHub had deleted the runner's registration"),
            Self::Deprecated { version } => {
                write!(f, "GitHub gives no jobs to runners of version {version}: pull or build a newer image")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENING: &str = "2026-01-31 10:00:00Z: Listening for Jobs";
    const RUNNING: &str = "2026-01-31 10:00:01Z: Running job: build";
    const COMPLETED: &str = "2026-01-31 10:00:09Z: Job build completed with result: Failed";
    const DELETED: &str = "Failed to create a session. The runner registration has been deleted from the server.";

    fn outcome(lines: &[&str], exit: &Exit, retired: bool) -> Outcome {
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
            assert_eq!(outcome(&[LISTENING, RUNNING, COMPLETED], &exit, false), done(Some(JobResult::Failed)));
            assert_eq!(outcome(&[LISTENING, RUNNING], &exit, true), done(None));
            assert_eq!(outcome(&[LISTENING, RUNNING, DELETED], &exit, false), done(None));
        }
    }

    #[test]
    fn a_runner_without_a_job_says_what_kept_it_from_one() {
        let exit = Exit { code: 1, ..Exit::default() };
        let never = |why: Option<&str>| Outcome::NeverListened { exit: exit.clone(), why: why.map(str::to_owned) };

        assert_eq!(outcome(&[], &exit, false), never(None));
        assert_eq!(outcome(&["sh: not found", ""], &exit, false), never(Some("sh: not found")));
        let unreachable = ["Runner connect error: No route", "bye"];
        assert_eq!(outcome(&unreachable, &exit, false), never(Some("No route")));
        assert_eq!(outcome(&[LISTENING], &exit, false), Outcome::EndedIdle { exit: exit.clone() });
        assert_eq!(outcome(&[LISTENING], &exit, true), Outcome::Idle);
        assert_eq!(outcome(&[DELETED], &exit, false), Outcome::RegistrationDeleted { listened: false });
        let deprecated = "Runner version v2.1.0 is deprecated and cannot receive messages.";
        assert_eq!(outcome(&[deprecated], &exit, false), Outcome::Deprecated { version: "2.1.0".to_owned() });
    }

    #[test]
    fn the_record_says_that_memory_ran_out() {
        let exit = Exit { code: 137, oom_killed: true, ..Exit::default() };
        let said = outcome(&[LISTENING, RUNNING], &exit, false).to_string();
        assert_eq!(
            said,
            "the runner took \"build\" and ended before it told a result: exit code 137, out of memory \
             (raise memory in [pool.docker])"
        );
    }
}
