//! What the runner prints. Only whole lines of the known shapes count, for a job's name may be any text.

use std::fmt;

/// The most characters of a name or message that are kept.
const TEXT_CHARS_MAX: usize = 256;

/// What one line of the runner's output says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RunnerLine {
    /// It reached GitHub.
    Connected,
    /// Its version.
    Version(String),
    /// It waits for a job.
    Listening,
    /// It took a job.
    Running {
        /// The job's name; any text, cut to 256 characters.
        name: String,
    },
    /// Its job has ended.
    Completed {
        /// The job's name; any text, cut to 256 characters.
        name: String,
        /// How.
        result: JobResult,
    },
    /// GitHub does not know it any more.
    RegistrationDeleted,
    /// It is of a version that GitHub gives no jobs.
    Deprecated(String),
    /// It could not reach GitHub, and tries again.
    ConnectError(String),
    /// Anything else.
    Other,
}

/// How a job ended, as the runner says it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JobResult {
    /// It succeeded.
    Succeeded,
    /// It succeeded, with warnings.
    SucceededWithIssues,
    /// A step failed.
    Failed,
    /// It was cancelled.
    Canceled,
    /// It was skipped.
    Skipped,
    /// GitHub gave it up.
    Abandoned,
    /// A word that this version does not know.
    Other(String),
}

impl fmt::Display for JobResult {
    /// The runner's word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "Succeeded",
            Self::SucceededWithIssues => "SucceededWithIssues",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Skipped => "Skipped",
            Self::Abandoned => "Abandoned",
            Self::Other(word) => word,
        })
    }
}

impl JobResult {
    /// Reads the runner's word: letters only, as all of .NET's names of results are.
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "Succeeded" => Self::Succeeded,
            "SucceededWithIssues" => Self::SucceededWithIssues,
            "Failed" => Self::Failed,
            "Canceled" => Self::Canceled,
            "Skipped" => Self::Skipped,
            "Abandoned" => Self::Abandoned,
            word if (1..=32).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                Self::Other(word.to_owned())
            }
            _ => return None,
        })
    }
}

impl RunnerLine {
    /// Reads one line, without its line feed.
    #[must_use]
    pub fn read(line: &str) -> Self {
        let line = plain(line);
        if line.starts_with("[RUNNER ") || line.starts_with("[WORKER ") {
            return Self::Other; // trace output, which quotes anything
        }
        match after_timestamp(&line) {
            Some(text) => Self::stamped(text).or_else(|| Self::either(text)),
            None => Self::unstamped(&line).or_else(|| Self::either(&line)),
        }
        .unwrap_or(Self::Other)
    }

    /// What follows a timestamp.
    fn stamped(text: &str) -> Option<Self> {
        if text == "Listening for Jobs" {
            return Some(Self::Listening);
        }
        if let Some(name) = text.strip_prefix("Running job: ") {
            return Some(Self::Running { name: cut(name) });
        }
        // From the right: a job may be called like the rest of such a line.
        let (name, result) = text.strip_prefix("Job ")?.rsplit_once(" completed with result: ")?;
        Some(Self::Completed { name: cut(name), result: JobResult::read(result)? })
    }

    /// What has no timestamp.
    fn unstamped(line: &str) -> Option<Self> {
        if line == "\u{221a} Connected to GitHub" {
            return Some(Self::Connected);
        }
        let version = line.strip_prefix("Current runner version: '")?.strip_suffix('\'')?;
        is_version(version).then(|| Self::Version(version.to_owned()))
    }

    /// What has a timestamp in some versions of the runner, and has none in others.
    fn either(text: &str) -> Option<Self> {
        if text.starts_with("Failed to create a session. The runner registration has been deleted") {
            return Some(Self::RegistrationDeleted);
        }
        if let Some(problem) = text.strip_prefix("Runner connect error: ") {
            return Some(Self::ConnectError(cut(problem)));
        }
        // The runner spells it both ways.
        let text = ["An error occurred: ", "An error occured: "]
            .iter()
            .find_map(|said| text.strip_prefix(said))
            .unwrap_or(text);
        let text = text.strip_suffix('.').unwrap_or(text);
        let version =
            text.strip_prefix("Runner version v")?.strip_suffix(" is deprecated and cannot receive messages")?;
        is_version(version).then(|| Self::Deprecated(version.to_owned()))
    }
}

/// The line without a carriage return at its end, and without a terminal's colours.
pub(super) fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.trim_end_matches(['\r', '\n']);
    while let Some((before, escape)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        // Parameters, then one letter.
        rest = escape.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest);
    }
    text.push_str(rest);
    text
}

/// What follows `2026-01-31 23:59:59Z: `; `None` if the line does not begin with a time.
fn after_timestamp(line: &str) -> Option<&str> {
    const SHAPE: &[u8] = b"0000-00-00 00:00:00";
    let (stamp, rest) = line.split_at_checked(SHAPE.len())?;
    let fits = stamp.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        b' ' => byte == b' ' || byte == b'T',
        _ => byte == *shape,
    });
    let rest =
        rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    fits.then(|| rest.strip_prefix('Z').unwrap_or(rest).strip_prefix(": "))?
}

/// Digits and letters in parts, such as `2.336.0`.
fn is_version(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

/// The beginning of a text that somebody else wrote, fit for a record and a log line.
pub(super) fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(name: &str, result: JobResult) -> RunnerLine {
        RunnerLine::Completed { name: name.to_owned(), result }
    }

    #[test]
    fn each_line_of_the_runner_is_understood() {
        let running = RunnerLine::Running { name: "build (x64)".to_owned() };
        for (line, meaning) in [
            ("√ Connected to GitHub", RunnerLine::Connected),
            ("Current runner version: '2.336.0'", RunnerLine::Version("2.336.0".to_owned())),
            ("2026-01-31 23:59:59Z: Listening for Jobs", RunnerLine::Listening),
            ("2026-01-31 23:59:59Z: Listening for Jobs\r", RunnerLine::Listening),
            ("2026-01-31T23:59:59.123Z: Listening for Jobs", RunnerLine::Listening),
            ("\u{1b}[32m2026-01-31 23:59:59Z: Listening for Jobs\u{1b}[0m", RunnerLine::Listening),
            ("2026-01-31 23:59:59Z: Running job: build (x64)", running),
            (
                "2026-01-31 23:59:59Z: Job build completed with result: Succeeded",
                completed("build", JobResult::Succeeded),
            ),
            (
                "2026-01-31 23:59:59Z: Job b completed with result: Odd",
                completed("b", JobResult::Other("Odd".to_owned())),
            ),
            (
                "Failed to create a session. The runner registration has been deleted from the server, please re-configure.",
                RunnerLine::RegistrationDeleted,
            ),
            (
                "An error occured: Runner version v2.300.0 is deprecated and cannot receive messages.",
                RunnerLine::Deprecated("2.300.0".to_owned()),
            ),
            (
                "2026-01-31 23:59:59Z: Runner connect error: No route. Retrying until reconnected.",
                RunnerLine::ConnectError("No route. Retrying until reconnected.".to_owned()),
            ),
            ("Runner connect error: No route", RunnerLine::ConnectError("No route".to_owned())),
        ] {
            assert_eq!(RunnerLine::read(line), meaning, "{line}");
        }
    }

    #[test]
    fn every_result_of_the_runner_reads_back() {
        for word in ["Succeeded", "SucceededWithIssues", "Failed", "Canceled", "Skipped", "Abandoned"] {
            let result = JobResult::read(word).unwrap();
            assert!(!matches!(result, JobResult::Other(_)), "{word}");
            assert_eq!(result.to_string(), word);
        }
    }

    #[test]
    fn a_line_that_only_looks_alike_is_nothing() {
        for line in [
            "",
            "Listening for Jobs",
            "2026-01-31 23:59:59Z: Listening for Jobs soon",
            " 2026-01-31 23:59:59Z: Listening for Jobs",
            "2026-01-31 23:59:59Z Listening for Jobs",
            "2026-01-3x 23:59:59Z: Listening for Jobs",
            "2026-01-31 23:59:5√: Listening for Jobs",
            "Running job: build",
            "2026-01-31 23:59:59Z: Job build completed with result: ",
            "2026-01-31 23:59:59Z: Job build completed with result: Not a word",
            "[RUNNER 2026-01-31 23:59:59Z INFO Terminal] 2026-01-31 23:59:59Z: Listening for Jobs",
            "[WORKER 2026-01-31 23:59:59Z] Running job: x",
            "Current runner version: 'a'; echo 'b'",
        ] {
            assert_eq!(RunnerLine::read(line), RunnerLine::Other, "{line}");
        }
    }

    #[test]
    fn a_job_may_be_called_anything() {
        let name = "x completed with result: Succeeded";
        assert_eq!(
            RunnerLine::read(&format!("2026-01-31 23:59:59Z: Job {name} completed with result: Failed")),
            completed(name, JobResult::Failed)
        );
        let running = |name: &str| RunnerLine::read(&format!("2026-01-31 23:59:59Z: Running job: {name}"));
        assert_eq!(running("Listening for Jobs"), RunnerLine::Running { name: "Listening for Jobs".to_owned() });
        assert_eq!(running(&"√".repeat(5000)), RunnerLine::Running { name: "√".repeat(TEXT_CHARS_MAX) });
        assert_eq!(running("a\u{7}b"), RunnerLine::Running { name: "ab".to_owned() });
    }
}
