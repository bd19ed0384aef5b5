//! Which calls were made.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::Serialize;
use time::OffsetDateTime;

/// How many of the last calls are kept.
const KEPT: usize = 20_000;

/// A call to the API.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// When it came in.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Its method.
    pub method: String,
    /// What kind of call it is: `/orgs/{org}/actions/runners/{runner_id}`.
    pub route: String,
    /// Its path below the base of the API, without its query.
    pub path: String,
    /// The status that it was answered with; nothing when it got no answer.
    pub status: Option<u16>,
    /// How long the stand-in took.
    pub took: Duration,
}

/// All calls, counted by method and route, and the last of them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    counts: BTreeMap<(String, String), u64>,
    last: VecDeque<Call>,
}

impl Calls {
    pub(super) fn add(&mut self, call: Call) {
        *self.counts.entry((call.method.clone(), call.route.clone())).or_default() += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(call);
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.last.iter().cloned().collect()
    }

    pub(super) fn counts(&self) -> &BTreeMap<(String, String), u64> {
        &self.counts
    }
}
