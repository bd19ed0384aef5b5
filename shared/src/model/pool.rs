//! A pool: one kind of runner.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{DockerOptions, Invalid, Labels, PoolName, RepositoryName, Warm};

/// How a runner becomes one of GitHub's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// With a just-in-time configuration, written as files into the container: no secret is to be seen from outside.
    #[default]
    Jit,
    /// With a registration token in the container's environment, as older runner images expect it.
    Token,
}

/// What kind of scope a pool's runners register at, against what the webhook would say.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeKind {
    /// The repository of the job.
    Repository,
    /// The organization that the repository belongs to.
    Organization,
    /// The enterprise that the webhook names.
    Enterprise,
}

/// Whom a pool serves: an owner with all its repositories, or one repository.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Allowed {
    /// Every repository of a user or organization.
    Owner(String),
    /// One repository.
    Repository(RepositoryName),
}

impl Allowed {
    /// Whether it covers `repository`. GitHub's names differ by more than case.
    #[must_use]
    pub fn covers(&self, repository: &RepositoryName) -> bool {
        match self {
            Self::Owner(owner) => owner.eq_ignore_ascii_case(repository.owner()),
            Self::Repository(name) => name.as_str().eq_ignore_ascii_case(repository.as_str()),
        }
    }
}

impl FromStr for Allowed {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('/') {
            return text.parse().map(Self::Repository);
        }
        super::ids::plain("an owner", text, 100, "-_").map(Self::Owner)
    }
}

impl TryFrom<String> for Allowed {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

/// A kind of runner: the labels it offers, the image it runs, and how many there may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// What it is called.
    pub name: PoolName,
    /// The labels its runners register with. Not empty.
    pub labels: Labels,
    /// The image, with its tag or digest.
    pub image: String,
    /// How many of its runners may be up at once, over all workers. At least 1.
    pub max_runners: u32,
    /// How many of those for one scope; all of them unless set.
    pub max_per_scope: Option<u32>,
    /// The runner group, by name.
    pub runner_group: String,
    /// Whom it serves; everybody when empty.
    pub scopes: Vec<Allowed>,
    /// Where its runners register, against what the webhook would say.
    pub scope: Option<ScopeKind>,
    /// How its runners register.
    pub registration: Registration,
    /// Variables for its containers.
    pub env: BTreeMap<String, String>,
    /// How long a runner may work on its job before it is stopped; for ever unless set.
    pub timeout: Option<Duration>,
    /// How long the stopped container of a runner that failed is kept; it is removed at once unless set.
    pub keep_failed: Option<Duration>,
    /// How its containers are run.
    pub docker: DockerOptions,
    /// Those of its runners that listen before there is a job for them.
    pub warm: Warm,
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool {} ({})", self.name, self.labels)
    }
}

impl Pool {
    /// Whether it serves `repository`.
    #[must_use]
    pub fn serves(&self, repository: &RepositoryName) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|allowed| allowed.covers(repository))
    }
}
