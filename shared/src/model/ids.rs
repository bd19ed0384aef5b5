//! What jobs, deliveries, pools and workers are called by.

use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Invalid, text_type};

/// GitHub's `workflow_job.id`. A re-run of a job has an id of its own.
///
/// A warm runner, which waits for whichever job comes, stands in the queue under an id that no job has. It is written as `w` and
/// a number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobId(NonZeroU64);

/// What the ids of warm runners have set, and GitHub's have not.
const WARM: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 63) - 1);

/// How ids of warm runners begin.
const WARM_PREFIX: char = 'w';

impl JobId {
    /// The id of a warm runner, by a number of its own.
    #[must_use]
    pub fn warm(number: u32) -> Self {
        Self(WARM.saturating_add(number.into()))
    }

    /// Whether it is a warm runner's.
    #[must_use]
    pub const fn is_warm(self) -> bool {
        self.get() >= WARM.get()
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_warm() {
            return write!(f, "{WARM_PREFIX}{}", self.get() - WARM.get());
        }
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("a job id", format!("is a positive number, not {text:?}"));
        if let Some(number) = text.strip_prefix(WARM_PREFIX) {
            return number.parse().map(Self::warm).map_err(|_| invalid());
        }
        text.parse().ok().filter(|number| *number < WARM).map(Self).ok_or_else(invalid)
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_warm() { serializer.collect_str(self) } else { serializer.serialize_u64(self.get()) }
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a job id is a positive number")]
        enum Written {
            Number(NonZeroU64),
            Text(String),
        }
        let id = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string().parse(),
            Written::Text(text) => text
                .parse()
                .and_then(|id: Self| id.is_warm().then_some(id).ok_or_else(|| Invalid::new("a job id", "is no text"))),
        };
        id.map_err(D::Error::custom)
    }
}

/// The GUID of a webhook delivery (`X-GitHub-Delivery`). A redelivery keeps it.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

impl DeliveryId {
    /// What stands in its place for a warm runner, which no delivery brings.
    pub(super) fn none_for(warm: JobId) -> Self {
        Self(warm.to_string())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_warm_runner_is_no_jobs() {
        let warm = JobId::warm(7);
        assert_eq!((warm.to_string().as_str(), "w7".parse()), ("w7", Ok(warm)));
        assert_eq!(serde_json::to_string(&warm).unwrap(), "\"w7\"");
        assert_eq!(serde_json::from_str::<JobId>("\"w7\"").unwrap(), warm);
        let job: JobId = "7".parse().unwrap();
        assert_eq!((serde_json::to_string(&job).unwrap().as_str(), serde_json::from_str("7").ok()), ("7", Some(job)));
        assert!(warm.is_warm() && !job.is_warm());
        for other in ["0", "w", "w-1", "w4294967296", "9223372036854775815", "-1"] {
            assert!(other.parse::<JobId>().is_err(), "{other}");
        }
        for other in ["\"7\"", "9223372036854775815", "0", "null", "1.5"] {
            assert!(serde_json::from_str::<JobId>(other).is_err(), "{other}");
        }
    }
}
