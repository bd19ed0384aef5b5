//! GitHub's clock, as far as it is known here.

use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::header::HeaderMap;
use time::{Duration, OffsetDateTime};

use super::rate_limit;

/// How far GitHub's clock is ahead of this machine's, in seconds: what GitHub gives out ends by its clock, and what is
/// shown to it is checked by it.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    /// The time there; until the first answer, the time here.
    pub(super) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.ahead()
    }

    /// How far it is ahead.
    pub(super) fn ahead(&self) -> Duration {
        Duration::seconds(self.0.load(Ordering::Relaxed))
    }

    /// Takes note of the time in an answer.
    pub(super) fn learn(&self, headers: &HeaderMap) {
        if let Some(date) = rate_limit::date(headers) {
            self.0.store((date - OffsetDateTime::now_utc()).whole_seconds(), Ordering::Relaxed);
        }
    }
}
