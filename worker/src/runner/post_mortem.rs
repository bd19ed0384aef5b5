//! What is kept of a runner once its container is gone.

use std::{collections::BTreeMap, fmt};

use shared::{model::RunnerName, queue::PostMortem};

use super::{Outcome, log, scrub::scrub};
use crate::provider::Exit;

/// What is left of a runner that has ended, as its container shows it.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Remains {
    /// The digest of its image.
    pub image: Option<String>,
    /// The variables of its container, which may hold secrets.
    pub environment: BTreeMap<String, String>,
    /// The last lines that it printed, oldest first.
    pub log: Vec<String>,
}

impl fmt::Debug for Remains {
    /// Leaves out what may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remains").field("image", &self.image).finish_non_exhaustive()
    }
}

/// What is written down of a runner. Of one that did not fail its last lines say nothing that is not on the record.
#[must_use]
pub fn post_mortem(runner: &RunnerName, outcome: &Outcome, exit: &Exit, remains: &Remains) -> PostMortem {
    let ran = exit.started_at.zip(exit.finished_at).map(|(started, finished)| finished - started);
    PostMortem {
        runner: runner.clone(),
        outcome: outcome.to_string(),
        exit_code: exit.code,
        oom: exit.oom_killed,
        signal: exit.signal(),
        seconds: ran.and_then(|ran| u64::try_from(ran.whole_seconds()).ok()),
        image: remains.image.clone(),
        log: if outcome.is_failure() { last_lines(remains) } else { Vec::new() },
    }
}

/// The last lines, without secrets, colours and what else a terminal would obey.
fn last_lines(remains: &Remains) -> Vec<String> {
    let plain = |line: &String| log::plain(line).chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>();
    let plain: Vec<String> = remains.log.iter().map(plain).collect();
    let mut left = PostMortem::BYTES_MAX;
    let lines = scrub(&plain, &remains.environment).into_iter().rev().take(PostMortem::LINES_MAX);
    let mut lines: Vec<String> = lines
        .take_while(|line| {
            let bytes = serde_json::to_string(line).map_or(usize::MAX, |json| json.len() + 1);
            left.checked_sub(bytes).inspect(|still| left = *still).is_some()
        })
        .collect();
    lines.reverse();
    lines
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};

    use super::*;
    use crate::runner::JobResult;

    fn end(outcome: &Outcome, exit: &Exit, lines: &[&str]) -> PostMortem {
        let remains = Remains {
            image: Some("sha256:1".to_owned()),
            environment: [("TOKEN".to_owned(), "hush-hush".to_owned())].into(),
            log: lines.iter().map(ToString::to_string).collect(),
        };
        post_mortem(&"gha-7-1".parse().unwrap(), outcome, exit, &remains)
    }

    fn never_listened() -> Outcome {
        Outcome::NeverListened { exit: Exit::default(), why: None }
    }

    #[test]
    fn the_end_of_a_runner_that_was_killed_says_by_what_and_has_its_last_lines() {
        let started_at = OffsetDateTime::UNIX_EPOCH;
        let exit = Exit {
            code: 137,
            oom_killed: true,
            started_at: Some(started_at),
            finished_at: Some(started_at + Duration::milliseconds(61_900)),
            ..Exit::default()
        };
        let outcome = Outcome::Done { job: "build".to_owned(), result: None, exit: exit.clone() };
        let ended = end(&outcome, &exit, &["\u{1b}[31mred\u{1b}[0m\u{7}", "with hush-hush"]);
        assert_eq!((ended.exit_code, ended.oom, ended.signal, ended.seconds), (137, true, Some(9), Some(61)));
        assert_eq!((ended.image.as_deref(), ended.outcome), (Some("sha256:1"), outcome.to_string()));
        assert_eq!(ended.log, ["red", "with ***"]);
    }

    #[test]
    fn of_a_runner_that_did_its_work_no_line_is_kept() {
        let exit = Exit::default();
        let done = Outcome::Done { job: "b".to_owned(), result: Some(JobResult::Failed), exit: exit.clone() };
        for outcome in [done, Outcome::Idle] {
            let ended = end(&outcome, &exit, &["a line"]);
            assert_eq!((ended.log.len(), ended.exit_code, ended.image.is_some()), (0, 0, true), "{outcome}");
        }
    }

    #[test]
    fn the_last_lines_are_bounded_in_number_and_in_bytes() {
        let numbers: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let log = end(&never_listened(), &Exit::default(), &numbers).log;
        assert_eq!((log.len(), log[0].as_str(), log[199].as_str()), (200, "300", "499"));

        let escaped = "\"\\".repeat(2048);
        let log = end(&never_listened(), &Exit::default(), &[escaped.as_str(); 100]).log;
        let json = serde_json::to_string(&log).unwrap();
        assert!(log.len() > 2 && json.len() <= PostMortem::BYTES_MAX + 1, "{} lines, {} bytes", log.len(), json.len());
    }
}
