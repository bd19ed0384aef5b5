//! Runners, as GitHub knows them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Invalid, JobId, ids::plain, text_type};

/// The id that GitHub gave a runner when it was registered.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(transparent)]
pub struct RunnerId(pub u64);

impl fmt::Display for RunnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a runner is called, here and at GitHub: `<prefix>-<job id>-<attempt>`, at most 64 characters.
///
/// The attempt rises with every reservation of the job: no two runners that were ever started for it share a name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunnerName(String);

/// What stands between the prefix and the number of a runner that is started by hand.
const BY_HAND: &str = "-by-hand-";

impl RunnerName {
    /// The most characters that a prefix may have: 64, less two dashes and the digits of two numbers.
    pub const PREFIX_CHARS_MAX: usize = 30;

    /// The name of the runner that is started in an attempt at `job`.
    #[must_use]
    pub fn new(prefix: &RunnerNamePrefix, job: JobId, attempt: u64) -> Self {
        Self(format!("{}-{job}-{attempt}", prefix.0))
    }

    /// The name of a runner that is started by hand. `number` tells it from others.
    #[must_use]
    pub fn by_hand(prefix: &RunnerNamePrefix, number: u64) -> Self {
        Self(format!("{}{BY_HAND}{number}", prefix.0))
    }

    /// Whether a runner of this name was started by hand.
    #[must_use]
    pub fn started_by_hand(&self, prefix: &RunnerNamePrefix) -> bool {
        let number = self.0.strip_prefix(&prefix.0).and_then(|rest| rest.strip_prefix(BY_HAND));
        number.is_some_and(|number| number.parse::<u64>().is_ok())
    }

    /// The job that a runner of this name was started for, and in which attempt; `None` when it is not one of ours.
    #[must_use]
    pub fn started_for(&self, prefix: &RunnerNamePrefix) -> Option<(JobId, u64)> {
        let (job, attempt) = self.0.strip_prefix(&prefix.0)?.strip_prefix('-')?.split_once('-')?;
        Some((job.parse().ok()?, attempt.parse().ok()?))
    }
}

impl FromStr for RunnerName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let odd = |c: char| c.is_control() || r#""/:<>\|*?"#.contains(c);
        if text.is_empty() || text.chars().count() > 64 || text.contains(odd) {
            return Err(Invalid::new("a runner's name", r#"has 1 to 64 characters, none of "/:<>\|*?"#));
        }
        Ok(Self(text.to_owned()))
    }
}

text_type!(RunnerName);

/// What the names of our runners begin with (`RUNNER_NAME_PREFIX`).
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunnerNamePrefix(String);

impl FromStr for RunnerNamePrefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        plain("a prefix of runner names", text, RunnerName::PREFIX_CHARS_MAX, "-_.").map(Self)
    }
}

text_type!(RunnerNamePrefix);

impl Default for RunnerNamePrefix {
    fn default() -> Self {
        Self("gha".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_known_to_be_ours_by_its_name() {
        let prefix = RunnerNamePrefix::default();
        let job: JobId = "289782451".parse().unwrap();
        let name = RunnerName::new(&prefix, job, 3);

        assert_eq!(name.as_str(), "gha-289782451-3");
        assert_eq!(name.started_for(&prefix), Some((job, 3)));
        for other in ["gha-1", "ghal-1-1", "gha-x-1", "gha-1-x", "gha-0-1", "GitHub Actions 5"] {
            assert_eq!(other.parse::<RunnerName>().unwrap().started_for(&prefix), None, "{other}");
        }
    }

    #[test]
    fn a_runner_that_was_started_by_hand_is_known_by_its_name_as_well() {
        let prefix = RunnerNamePrefix::default();
        let name = RunnerName::by_hand(&prefix, 1_764_000_000);
        assert!(name.started_by_hand(&prefix) && name.started_for(&prefix).is_none());
        for other in ["gha-by-hand-", "gha-by-hand-x", "gha-x-by-hand-1", "gha-1-1"] {
            assert!(!other.parse::<RunnerName>().unwrap().started_by_hand(&prefix), "{other}");
        }
    }

    #[test]
    fn the_longest_name_is_one_that_github_takes() {
        let prefix: RunnerNamePrefix = "p".repeat(RunnerName::PREFIX_CHARS_MAX).parse().unwrap();
        let job: JobId = i64::MAX.to_string().parse().unwrap();
        assert!(RunnerName::new(&prefix, job, 99_999_999_999).as_str().parse::<RunnerName>().is_ok());
    }
}
