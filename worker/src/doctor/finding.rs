//! What a check came to.

use std::fmt;

use serde::Serialize;

/// How a check ended, the best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is as it should be.
    Ok,
    /// It could not be looked at, or need not be.
    Skipped,
    /// It works, and something is to be said about it.
    Warning,
    /// Jobs get no runners, or may be lost.
    Failure,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failure => "failure",
        })
    }
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The variables, and `pools.toml`.
    Settings,
    /// What keeps the queue.
    Queue,
    /// GitHub, and what may be done there.
    Github,
    /// The webhook.
    Hook,
    /// The container engine.
    Docker,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Settings => "settings",
            Self::Queue => "queue",
            Self::Github => "github",
            Self::Hook => "hook",
            Self::Docker => "docker",
        })
    }
}

/// What a check came to. Its JSON is a contract: fields may be added.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub subject: Subject,
    /// What of it, such as `latency` or `rights at octo/hello`.
    pub check: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found, or why nothing was looked for.
    pub found: String,
    /// What to do about it, if there is something to do.
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn new(verdict: Verdict, subject: Subject, check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject, check: check.into(), verdict, found: found.into(), advice: None }
    }

    /// It is as it should be.
    pub(super) fn ok(subject: Subject, check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, subject, check, found)
    }

    /// It was not looked at, and this is why.
    pub(super) fn skipped(subject: Subject, check: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Verdict::Skipped, subject, check, why)
    }

    /// It works, but for this.
    pub(super) fn warning(subject: Subject, check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, subject, check, found)
    }

    /// It does not work.
    pub(super) fn failure(subject: Subject, check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Verdict::Failure, subject, check, found)
    }

    /// The same, with what to do about it.
    #[must_use]
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The same, with what to do about it if it is not as it should be.
    #[must_use]
    pub(super) fn unless_ok(self, advice: &str) -> Self {
        if self.verdict == Verdict::Ok { self } else { self.advise(advice) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_nothing_to_do_about_what_is_as_it_should_be() {
        let advised = |verdict| Finding::new(verdict, Subject::Queue, "space", "some").unless_ok("free some").advice;
        assert_eq!(advised(Verdict::Ok), None);
        for verdict in [Verdict::Skipped, Verdict::Warning, Verdict::Failure] {
            assert_eq!(advised(verdict).as_deref(), Some("free some"), "{verdict}");
        }
    }
}
