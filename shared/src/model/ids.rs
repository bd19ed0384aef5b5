//! What jobs, deliveries, pools and workers are called by.

use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Invalid, text_type};

/// GitHub's `workflow_job.id`. A re-run of a job has an id of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(transparent)]
pub struct JobId(NonZeroU64);

impl JobId {
    /// The number itself.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number =
            text.parse().map_err(|_| Invalid::new("a job id", format!("is a positive number, not {text:?}")))?;
        Ok(Self(number))
    }
}

/// The GUID of a webhook delivery (`X-GitHub-Delivery`). A redelivery keeps it.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

impl FromStr for DeliveryId {
    type Err = Invalid;

    /// GitHub sends 36 characters; anything that is safe to log and to store is taken.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        plain("a delivery id", text, 64, "-_.:").map(Self)
    }
}

text_type!(DeliveryId);

/// The name of a pool: 1 to 40 of `a-z A-Z 0-9 - _ .`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolName(String);

impl PoolName {
    /// `default`: the pool of an installation without `pools.toml`.
    #[must_use]
    pub fn default_pool() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for PoolName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        plain("a pool's name", text, 40, "-_.").map(Self)
    }
}

text_type!(PoolName);

/// The name of a worker: 1 to 64 of `a-z A-Z 0-9 - _ .`. Its containers carry it as a label,
/// so a worker that keeps its name finds its runners again.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerName(String);

impl FromStr for WorkerName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        plain("a worker's name", text, 64, "-_.").map(Self)
    }
}

text_type!(WorkerName);

/// Text of ASCII letters, digits and `also`, from 1 to `most` bytes long.
pub(super) fn plain(what: &'static str, text: &str, most: usize, also: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > most {
        return Err(Invalid::new(what, format!("has 1 to {most} characters, not {}", text.len())));
    }
    match text.chars().find(|&c| !c.is_ascii_alphanumeric() && !also.contains(c)) {
        Some(odd) => Err(Invalid::new(what, format!("has no {odd:?} in it"))),
        None => Ok(text.to_owned()),
    }
}
