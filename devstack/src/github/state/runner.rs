//! A registered runner.

use std::fmt;

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::model::Scope;
use time::OffsetDateTime;

use super::GroupId;

/// What a runner proves with that it is the one that was registered: the client id in `.credentials` and a part of the
/// private key in `.credentials_rsaparams`.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Key {
    pub(crate) client_id: String,
    pub(crate) secret: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Key {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { client_id: guid(rng), secret: text(rng, 344) }
    }

    /// Reads `CLIENT_ID:SECRET`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (client_id, secret) = text.split_once(':')?;
        Some(Self { client_id: client_id.to_owned(), secret: secret.to_owned() })
    }
}

/// A runner that is connected.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: String,
    /// When it last asked for something.
    pub(super) seen: OffsetDateTime,
    /// How many of its requests wait for a job.
    pub(super) polls: u32,
    /// Since when it has listened without a job.
    pub(super) listening: OffsetDateTime,
}

#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(super) scope: Scope,
    pub(super) group: (GroupId, String),
    pub(super) labels: Vec<String>,
    /// How many of the labels, from the first, are the runner's own: they cannot be removed.
    pub(super) own_labels: usize,
    pub(super) ephemeral: bool,
    /// Unknown until it connects for the first time.
    pub(super) os: &'static str,
    pub(super) key: Key,
    pub(super) session: Option<Session>,
    pub(super) job: Option<u64>,
}

/// A runner as it stands.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunnerView {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Where it is registered.
    pub scope: Scope,
    /// Its runner group.
    pub group: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it is connected.
    pub online: bool,
    /// Whether it waits for a job.
    pub listening: bool,
    /// The job that it has.
    pub job: Option<u64>,
    /// Whether it takes one job only.
    pub ephemeral: bool,
}

impl Runner {
    /// Whether it would take a job now.
    pub(super) fn is_listening(&self) -> bool {
        self.job.is_none() && self.session.as_ref().is_some_and(|session| session.polls > 0)
    }

    pub(super) fn view(&self) -> RunnerView {
        RunnerView {
            id: self.id,
            name: self.name.clone(),
            scope: self.scope.clone(),
            group: self.group.1.clone(),
            labels: self.labels.clone(),
            online: self.session.is_some(),
            listening: self.is_listening(),
            job: self.job,
            ephemeral: self.ephemeral,
        }
    }

    /// As the API shows it.
    pub(crate) fn document(&self) -> Value {
        let labels: Vec<Value> = self
            .labels
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let kind = if index < self.own_labels { "read-only" } else { "custom" };
                json!({ "id": index + 1, "name": name, "type": kind })
            })
            .collect();
        json!({
            "id": self.id,
            "runner_group_id": self.group.0,
            "name": self.name,
            "os": self.os,
            "status": if self.session.is_some() { "online" } else { "offline" },
            "busy": self.job.is_some(),
            "ephemeral": self.ephemeral,
            "labels": labels,
        })
    }
}

/// A GUID of random digits.
pub(crate) fn guid(rng: &mut Rng) -> String {
    let digits = format!("{:032x}", rng.u128(..));
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// So many random letters and digits.
pub(super) fn text(rng: &mut Rng, length: usize) -> String {
    std::iter::repeat_with(|| rng.alphanumeric()).take(length).collect()
}
