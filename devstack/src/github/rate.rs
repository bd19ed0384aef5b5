//! The primary rate limit: so many requests in a period, for each token.

use std::{collections::BTreeMap, time::Duration};

use time::OffsetDateTime;

/// What each token is granted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    /// So many requests.
    pub(super) limit: u32,
    /// From the first one on, for so long.
    pub(super) period: Duration,
}

/// Where one token stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Budget {
    /// The requests that it has in a period.
    pub(super) limit: u32,
    /// Those that it has made.
    pub(super) used: u32,
    /// When it has all of them again, in seconds since 1970.
    pub(super) reset: i64,
}

impl Budget {
    pub(super) fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }

    /// The headers of an answer.
    pub(super) fn headers(&self) -> [(&'static str, String); 5] {
        [
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.remaining().to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
            ("x-ratelimit-used", self.used.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
    }
}

/// Where every token stands.
#[derive(Default)]
pub(super) struct Budgets(BTreeMap<String, (Budget, OffsetDateTime)>);

impl Budgets {
    /// Charges a request. `None` when there was none left; then see [`Self::look`].
    pub(super) fn charge(&mut self, token: &str, grant: Grant, now: OffsetDateTime) -> Option<Budget> {
        let budget = self.current(token, grant, now);
        if budget.remaining() == 0 {
            return None;
        }
        budget.used += 1;
        Some(*budget)
    }

    /// Where a token stands, free of charge.
    pub(super) fn look(&mut self, token: &str, grant: Grant, now: OffsetDateTime) -> Budget {
        *self.current(token, grant, now)
    }

    fn current(&mut self, token: &str, Grant { limit, period }: Grant, now: OffsetDateTime) -> &mut Budget {
        let fresh = || (Budget { limit, used: 0, reset: (now + period).unix_timestamp() }, now + period);
        let entry = self.0.entry(token.to_owned()).or_insert_with(fresh);
        if now >= entry.1 {
            *entry = fresh();
        }
        &mut entry.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_limit_is_full_again_after_its_period() {
        let (period, now) = (Duration::from_hours(1), OffsetDateTime::UNIX_EPOCH);
        let two = Grant { limit: 2, period };
        let mut budgets = Budgets::default();
        assert_eq!(budgets.charge("t", two, now).unwrap().remaining(), 1);
        assert_eq!(budgets.charge("t", two, now).unwrap().remaining(), 0);
        assert_eq!(budgets.charge("t", two, now), None);
        assert_eq!(budgets.look("t", two, now).reset, 3600);
        assert!(budgets.charge("other", two, now).is_some());
        assert!(budgets.charge("t", two, now + period).is_some());
    }
}
