//! How long jobs waited until they ran. Pure.

use std::{collections::BTreeMap, time::Duration};

use time::OffsetDateTime;

/// The upper bound of the first bucket.
const FIRST: Duration = Duration::from_millis(250);

/// After so many buckets their bound has doubled (`scripts/lib.lua` counts into them).
const BUCKETS_TO_DOUBLE: f64 = 4.0;

/// The jobs of a pool that began to run in one quarter of an hour, counted by how long they had waited since they were delivered, or
/// replayed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waits {
    /// When the quarter of an hour begins.
    pub from: OffsetDateTime,
    /// How many are in which bucket.
    counted: BTreeMap<u32, u64>,
}

impl Waits {
    /// How long it is that is counted together.
    pub const QUARTER: Duration = Duration::from_mins(15);

    /// How many quarters of an hour are kept: the last day, and the one that has begun.
    pub const QUARTERS: usize = 97;

    /// What was counted from `from` on, by bucket.
    #[must_use]
    pub fn new(from: OffsetDateTime, counted: impl IntoIterator<Item = (u32, u64)>) -> Self {
        Self { from, counted: counted.into_iter().filter(|(_, jobs)| *jobs > 0).collect() }
    }

    /// How many jobs there were.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.counted.values().sum()
    }

    /// The wait that this part of the jobs did not exceed, such as 0.5 for the median: at most a fifth too long. None without jobs.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wanted = ((self.jobs() as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let bucket = self.counted.iter().find(|(_, jobs)| {
            seen += **jobs;
            seen >= wanted
        });
        bucket.map(|(bucket, _)| FIRST.mul_f64((f64::from(*bucket) / BUCKETS_TO_DOUBLE).exp2()))
    }

    /// Counts the jobs of another pool as well.
    pub fn add(&mut self, other: &Self) {
        for (bucket, jobs) in &other.counted {
            *self.counted.entry(*bucket).or_default() += jobs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(counted: &[(u32, u64)]) -> Waits {
        Waits::new(OffsetDateTime::UNIX_EPOCH, counted.iter().copied())
    }

    #[test]
    fn a_quantile_is_the_bound_of_the_bucket_that_it_falls_into() {
        let waits = waits(&[(0, 10), (4, 9), (16, 1)]);
        assert_eq!(waits.jobs(), 20);
        for (part, milliseconds) in [(0.0, 250), (0.5, 250), (0.51, 500), (0.95, 500), (0.96, 4000), (1.0, 4000)] {
            assert_eq!(waits.quantile(part), Some(Duration::from_millis(milliseconds)), "{part}");
        }
    }

    #[test]
    fn there_is_none_without_jobs() {
        assert_eq!(waits(&[]).quantile(0.5), None);
        assert_eq!(waits(&[(3, 0)]).quantile(0.5), None);
    }

    #[test]
    fn pools_are_counted_together() {
        let mut both = waits(&[(1, 1), (2, 2)]);
        both.add(&waits(&[(2, 3), (9, 4)]));
        assert_eq!(both, waits(&[(1, 1), (2, 5), (9, 4)]));
    }
}
