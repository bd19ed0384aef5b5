//! Why a call did not bring what was asked for, and what that leads to.

use std::{fmt, time::Duration};

use reqwest::StatusCode;

use super::{Lack, Refusal};
use crate::model::{Hold, Scope};

/// Why a call did not bring what was asked for. No message holds a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GithubError {
    /// GitHub answered with an error.
    #[error("cannot {call}: GitHub answered {refusal}")]
    Refused {
        /// What was to be done.
        call: String,
        /// The answer.
        refusal: Box<Refusal>,
    },

    /// No whole answer came.
    #[error("cannot {call}: {loss} {api}")]
    Lost {
        /// What was to be done.
        call: String,
        /// The base of the API that was called.
        api: String,
        /// How far it got.
        loss: Loss,
        /// What went wrong.
        source: reqwest::Error,
    },

    /// An answer that says the call was carried out, but not what came of it: perhaps it is not GitHub that answers.
    #[error("cannot {call}: the answer {problem}")]
    Malformed {
        /// What was to be done.
        call: String,
        /// What is wrong with the answer, to follow the words "the answer".
        problem: String,
    },

    /// GitHub sent the call elsewhere, and it was not made there. The address in the settings is not GitHub's own, or
    /// what the call is about has moved.
    #[error("cannot {call}: {api} sends it on to {to}; correct AUTOSCALER_GITHUB_URL, or use the new name")]
    Redirected {
        /// What was to be done.
        call: String,
        /// The base of the API that was called.
        api: String,
        /// Where it was sent.
        to: String,
    },

    /// So many calls are under way that this one was not made.
    #[error("cannot {call}: {in_flight} calls to GitHub are under way, and none ended in time")]
    Overloaded {
        /// What was to be done.
        call: String,
        /// How many are under way.
        in_flight: usize,
    },

    /// The call was not made, so that GitHub's limits are not reached.
    #[error("cannot {call} yet: GitHub's rate limit leaves no room ({})", hold.limit)]
    Held {
        /// What was to be done.
        call: String,
        /// Which limit, and for how long.
        hold: Hold,
    },

    /// The runner group of a pool does not exist there, or the token does not see it.
    #[error(
        "there is no runner group {group:?} at {scope}: make it at GitHub, or correct the pool's runner_group \
         (or RUNNER_GROUP)"
    )]
    NoSuchGroup {
        /// The group's name, as it is set.
        group: String,
        /// Where it was looked for.
        scope: Scope,
    },

    /// There is nothing to authorize calls with.
    #[error("neither AUTOSCALER_GITHUB_PAT nor AUTOSCALER_GITHUB_APP_ID is set")]
    NoCredential,

    /// GitHub lets no App do anything with the runners of an enterprise.
    #[error(
        "cannot {call}: a GitHub App has no rights at an enterprise; have runners register at the organization \
         (scope in pools.toml), or use a classic token with the scope manage_runners:enterprise (AUTOSCALER_GITHUB_PAT)"
    )]
    AppAtEnterprise {
        /// What was to be done.
        call: String,
    },

    /// GitHub's API has no webhooks of enterprises.
    #[error(
        "GitHub's API has no webhooks of enterprises: make it by hand in the settings of {slug} (Hooks), with JSON content, the secret of \
         AUTOSCALER_SECRET_TOKEN and only the event \"Workflow jobs\"; or make one for each organization"
    )]
    NoHooksOfEnterprises {
        /// The enterprise.
        slug: String,
    },

    /// The App's key did not sign what shows who it is.
    #[error("AUTOSCALER_GITHUB_APP_PRIVATE_KEY cannot be used: make a new key in the App's settings")]
    Unsigned,

    /// The client could not be set up: as a rule, there are no CA certificates on this machine.
    #[error("cannot set up the client of GitHub's API; are CA certificates installed (package ca-certificates)?")]
    Setup(#[source] reqwest::Error),
}

/// How far a call got that brought no whole answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// There was no connection, so nothing was sent.
    NotConnected,
    /// It was sent, perhaps; this long, nothing came back.
    TimedOut(Duration),
    /// It was sent, perhaps; then the connection broke.
    Broken,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("there is no connection to"),
            Self::TimedOut(after) => write!(f, "within {after:?} no answer came from"),
            Self::Broken => f.write_str("before the answer came, the connection broke to"),
        }
    }
}

/// What an error leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The same call fails again until somebody changes the settings or something at GitHub.
    Permanent,
    /// There were too many calls. Nobody is to make one with this credential for as long as `wait`.
    RateLimited {
        /// 1 second to 65 minutes.
        wait: Duration,
    },
    /// The same call may succeed later.
    Transient,
    /// A runner of that name is registered already. The same call may succeed under another name.
    NameTaken,
}

impl GithubError {
    /// What it leads to.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused { refusal, .. } => match (refusal.status(), refusal.wait()) {
                (_, Some(wait)) => Kind::RateLimited { wait },
                (StatusCode::CONFLICT, None) => Kind::NameTaken,
                (StatusCode::REQUEST_TIMEOUT, None) => Kind::Transient,
                (status, None) if status.is_server_error() => Kind::Transient,
                _ => Kind::Permanent,
            },
            Self::Held { hold, .. } => Kind::RateLimited { wait: hold.wait },
            Self::Lost { .. } | Self::Malformed { .. } | Self::Overloaded { .. } => Kind::Transient,
            Self::Redirected { .. }
            | Self::NoSuchGroup { .. }
            | Self::NoCredential
            | Self::AppAtEnterprise { .. }
            | Self::NoHooksOfEnterprises { .. }
            | Self::Unsigned
            | Self::Setup(_) => Kind::Permanent,
        }
    }

    /// How long no call at all is to be made with this credential, if that is why.
    #[must_use]
    pub fn stop(&self) -> Option<Duration> {
        match (self.kind(), self) {
            (Kind::RateLimited { .. }, Self::Held { hold, .. }) if !hold.all => None,
            (Kind::RateLimited { wait }, _) => Some(wait),
            _ => None,
        }
    }

    /// Whether the call may have been carried out in spite of the error. A runner may then be registered under the name
    /// that was asked for: try again under another name, and delete that one.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => refusal.status().is_server_error(),
            Self::Lost { loss, .. } => *loss != Loss::NotConnected,
            Self::Malformed { .. } => true,
            _ => false,
        }
    }

    /// The status of GitHub's answer, if that is the error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.status().as_u16()),
            _ => None,
        }
    }

    /// What the token lacks, if that may be the reason.
    #[must_use]
    pub fn lack(&self) -> Option<&Lack> {
        match self {
            Self::Refused { refusal, .. } => refusal.lack(),
            _ => None,
        }
    }
}
