//! What a stand-in is like.

use std::{net::SocketAddr, time::Duration};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{App, Permissions, webhook::ContentType};

/// The requests that GitHub grants a token, and for how long.
const RATE_LIMIT: u32 = 5000;
const RATE_PERIOD: Duration = Duration::from_hours(1);

/// The id of the first job, unless it is said: about what GitHub's are by now.
const FIRST_JOB: u64 = 41_000_000_001;

/// How a stand-in is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens. Port 0: one that is free.
    pub bind: SocketAddr,
    /// Its address for runners, where they cannot reach it by the one that it listens at.
    pub public_url: Option<String>,
    /// Who may call.
    pub tokens: Vec<Token>,
    /// The Apps that may call.
    pub apps: Vec<App>,
    /// Where its webhooks go; it sends none without.
    pub webhook: Option<Webhook>,
    /// How long things take.
    pub timings: Timings,
    /// The requests that each token has in [`rate_period`](Self::rate_period).
    pub rate_limit: u32,
    /// How long they have to do. 1 h.
    pub rate_period: Duration,
    /// Which of several runners gets a job.
    pub choice: Choice,
    /// The id of the first job that it makes. Stand-ins whose runners share an engine need different ones, as GitHub's
    /// ids are: containers are found by them.
    pub first_job: u64,
}

impl Default for Config {
    /// On a free port of the loopback interface, with GitHub's times; nobody may call.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            tokens: Vec::new(),
            apps: Vec::new(),
            webhook: None,
            timings: Timings::default(),
            rate_limit: RATE_LIMIT,
            rate_period: RATE_PERIOD,
            choice: Choice::default(),
            first_job: FIRST_JOB,
        }
    }
}

impl Config {
    /// Lets a token call.
    #[must_use]
    pub fn token(mut self, token: impl Into<SecretString>, permissions: Permissions) -> Self {
        self.tokens.push(Token { token: token.into(), permissions });
        self
    }

    /// Lets an App call.
    #[must_use]
    pub fn app(mut self, app: App) -> Self {
        self.apps.push(app);
        self
    }
}

/// A personal access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What the `Authorization` header has.
    pub token: SecretString,
    /// What it may do.
    pub permissions: Permissions,
}

/// Where webhooks go, and what they look like.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The hook's payload URL.
    pub url: String,
    /// What deliveries are signed with.
    pub secret: SecretString,
    /// The hook's content type.
    pub content_type: ContentType,
    /// What the hook was set up for. Unless set: the enterprise or organization that a job belongs to, or else its
    /// repository.
    pub target: Option<HookTarget>,
}

impl Webhook {
    /// A hook that sends JSON.
    pub fn json(url: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self { url: url.into(), secret: secret.into(), content_type: ContentType::Json, target: None }
    }
}

/// What a hook was set up for: `X-GitHub-Hook-Installation-Target-Type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HookTarget {
    /// A repository.
    Repository,
    /// An organization.
    Organization,
    /// An enterprise.
    Business,
    /// A GitHub App.
    Integration,
}

impl HookTarget {
    /// The word for it in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Organization => "organization",
            Self::Business => "business",
            Self::Integration => "integration",
        }
    }
}

/// How long things take at GitHub.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// How long a registration or removal token is good for. 1 h.
    pub token: Duration,
    /// How long the token of an App's installation is good for. 1 h.
    pub installation_token: Duration,
    /// How long a runner may take to accept the job it got, before another gets it. 60 s.
    pub pick_up: Duration,
    /// How long a runner waits for a job in one request. 50 s.
    pub poll: Duration,
    /// How long a runner may be silent before it is offline, and the job that it runs has failed. 30 s.
    pub silence: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            token: Duration::from_hours(1),
            installation_token: Duration::from_hours(1),
            pick_up: Duration::from_mins(1),
            poll: Duration::from_secs(50),
            silence: Duration::from_secs(30),
        }
    }
}

/// Which of several listening runners gets a job.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Choice {
    /// The one that has listened longest.
    #[default]
    Longest,
    /// Any of them, by a generator of random numbers that begins with this seed.
    Random(u64),
}
