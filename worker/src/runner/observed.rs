//! What was seen of a runner so far.

use super::{JobResult, RunnerLine, log};

/// What was seen of a runner so far, from its output.
///
/// The output may be read again from its beginning, after a broken stream or by another worker: nothing is counted
/// twice.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    pub(super) listening: bool,
    pub(super) running: Option<String>,
    pub(super) completed: Option<JobResult>,
    pub(super) registration_deleted: bool,
    pub(super) deprecated: Option<String>,
    pub(super) connect_error: Option<String>,
    pub(super) last: Option<String>,
    pub(super) version: Option<String>,
}

/// A step in a runner's life, told once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Milestone {
    /// It waits for a job.
    Listening,
    /// It took the job of that name.
    Running(String),
    /// Its job ended so.
    Completed(JobResult),
}

impl Observed {
    /// Takes in one line of the output; returns what is new by it.
    pub fn observe(&mut self, line: &str) -> Option<Milestone> {
        match RunnerLine::read(line) {
            RunnerLine::Version(version) => self.version = Some(version),
            RunnerLine::Listening if !self.listening => {
                self.listening = true;
                self.connect_error = None;
                return Some(Milestone::Listening);
            }
            // A runner takes one job. Its name may hold line feeds, and what follows one may look like another job.
            RunnerLine::Running { name } if self.running.is_none() => {
                self.running = Some(name.clone());
                return Some(Milestone::Running(name));
            }
            RunnerLine::Completed { name, result }
                if self.completed.is_none() && self.running.as_ref() == Some(&name) =>
            {
                self.completed = Some(result.clone());
                return Some(Milestone::Completed(result));
            }
            RunnerLine::RegistrationDeleted => self.registration_deleted = true,
            RunnerLine::Deprecated(version) => self.deprecated = Some(version),
            RunnerLine::ConnectError(problem) => self.connect_error = Some(problem),
            RunnerLine::Other if !line.trim().is_empty() => self.last = Some(log::cut(line.trim())),
            _ => {}
        }
        None
    }

    /// Whether it has waited for a job.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listening
    }

    /// The name of the job that it took. A runner that took one is never stopped because of what the API says.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        self.running.as_deref()
    }

    /// The runner's version.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_once_even_if_the_output_is_read_again() {
        let lines = [
            "√ Connected to GitHub",
            "2026-01-31 10:00:00Z: Listening for Jobs",
            "2026-01-31 10:00:01Z: Running job: build",
            "2026-01-31 10:00:09Z: Job build completed with result: Failed",
        ];
        let mut observed = Observed::default();
        let told: Vec<Milestone> = lines.iter().chain(&lines).filter_map(|line| observed.observe(line)).collect();
        assert_eq!(
            told,
            [Milestone::Listening, Milestone::Running("build".to_owned()), Milestone::Completed(JobResult::Failed)]
        );
    }

    #[test]
    fn a_job_with_line_feeds_in_its_name_is_still_one_running_job() {
        let mut observed = Observed::default();
        for line in [
            "2026-01-31 10:00:00Z: Listening for Jobs",
            "2026-01-31 10:00:01Z: Running job: first",
            "2026-01-31 10:00:01Z: Running job: second",
            "2026-01-31 10:00:01Z: Job second completed with result: Succeeded",
            "2026-01-31 10:00:01Z: Listening for Jobs",
        ] {
            observed.observe(line);
        }
        assert_eq!(observed.job(), Some("first"));
        assert_eq!(observed.completed, None);
    }

    #[test]
    fn no_result_counts_before_a_job() {
        let mut observed = Observed::default();
        assert_eq!(observed.observe("2026-01-31 10:00:01Z: Job a completed with result: Succeeded"), None);
        assert_eq!(observed, Observed::default());
    }
}
