//! Which jobs are looked for, and where a list of them goes on. Pure.

use std::{fmt, str::FromStr};

use super::JobRecord;
use crate::model::{JobState, PoolName, Scope};

/// Which jobs are looked for: those that meet every condition that is set.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct JobFilter {
    /// Those in one of these states; in any, when empty.
    pub states: Vec<JobState>,
    /// Those of this pool.
    pub pool: Option<PoolName>,
    /// Those whose scope or repository has this text in it, in any case.
    pub scope: Option<String>,
    /// Those of exactly this scope.
    pub of_scope: Option<Scope>,
    /// Those whose last error has this text in it, in any case.
    pub error: Option<String>,
    /// Those that have this text in their id, names, labels or last error, in any case.
    pub text: Option<String>,
}

impl JobFilter {
    /// Whether jobs in a state are looked for.
    #[must_use]
    pub fn has_state(&self, state: JobState) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// Whether it takes a job's record to tell whether it is looked for, rather than its pool and state.
    pub(super) fn has_words(&self) -> bool {
        self.scope.is_some() || self.of_scope.is_some() || self.error.is_some() || self.text.is_some()
    }

    /// Whether a job is looked for.
    #[must_use]
    pub fn means(&self, job: &JobRecord) -> bool {
        let scopes = || [job.scope.as_ref().map(ToString::to_string), job.repository.as_ref().map(ToString::to_string)];
        let others = || {
            [
                Some(job.id.to_string()),
                Some(job.labels.to_string()),
                job.name.clone(),
                job.workflow.clone(),
                job.error.clone(),
                job.runner.as_ref().map(ToString::to_string),
                job.worker.as_ref().map(ToString::to_string),
            ]
        };
        self.has_state(job.state)
            && self.pool.as_ref().is_none_or(|pool| job.pool.as_ref() == Some(pool))
            && self.scope.as_ref().is_none_or(|text| has(scopes(), text))
            && self.of_scope.as_ref().is_none_or(|scope| job.scope.as_ref() == Some(scope))
            && self.error.as_ref().is_none_or(|text| has([job.error.clone()], text))
            && self.text.as_ref().is_none_or(|text| has(scopes(), text) || has(others(), text))
    }
}

fn has(words: impl IntoIterator<Item = Option<String>>, text: &str) -> bool {
    let text = text.to_lowercase();
    words.into_iter().flatten().any(|word| word.to_lowercase().contains(&text))
}

/// Where a list of jobs goes on. Its text is for addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JobsMark {
    /// Which of the sets that the jobs are in.
    pub(super) set: usize,
    /// The place of the last job there.
    pub(super) score: i64,
    /// How many jobs of that place were before.
    pub(super) skip: usize,
}

impl fmt::Display for JobsMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.set, self.score, self.skip)
    }
}

impl FromStr for JobsMark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(());
        let (set, score, skip) = (next()?, next()?, next()?);
        let number = |text: &str| text.parse::<u32>().map(|number| number as usize).map_err(drop);
        Ok(Self { set: number(set)?, score: score.parse().map_err(drop)?, skip: number(skip)?.min(100_000) })
    }
}

/// A part of a list of jobs.
#[derive(Clone, Debug, Default)]
pub struct JobsPage {
    /// The jobs: those that a worker holds, those that wait, those that are delayed, dead letters, and those that have ended; the newest of
    /// each in front.
    pub jobs: Vec<JobRecord>,
    /// Where the list goes on, if there may be more: so many jobs are looked at that a page is there at once, whether they are meant
    /// or not.
    pub more: Option<JobsMark>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = JobsMark { set: 4, score: 1_764_374_400_123, skip: 3 };
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for odd in ["", "1", "1.2", "a.1.1", "1.-.1", "1.1.-1", "1.1.1.1", "1.99999999999999999999.1"] {
            assert_eq!(odd.parse::<JobsMark>(), Err(()), "{odd}");
        }
    }
}
