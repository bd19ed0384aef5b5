//! What became of a delivery.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::github::HookTarget;

/// A webhook that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct Delivered {
    /// GitHub's id of this attempt.
    pub id: u64,
    /// The webhook's id.
    pub hook: u64,
    /// `X-GitHub-Delivery`
    pub guid: String,
    /// `X-GitHub-Event`
    pub event: String,
    /// The payload's `action`.
    pub action: String,
    /// The job that it tells of.
    pub job: u64,
    /// That job's repository.
    pub repository: String,
    /// What the hook was set up for.
    pub target: HookTarget,
    /// Whether it was sent before.
    pub redelivery: bool,
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long the answer took.
    pub took: Duration,
    /// The status of the answer; nothing when there was none within 10 s.
    pub status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub answer: String,
}
