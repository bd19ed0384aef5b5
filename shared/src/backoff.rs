//! How long to wait before another try: exponential, bounded, with full jitter.

use std::time::Duration;

/// The bound and the base of a series of waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// The upper bound of the first wait.
    pub base: Duration,
    /// The upper bound of every wait.
    pub most: Duration,
}

impl Backoff {
    /// Between the attempts of a job: `min(300, 2·2ⁿ)` seconds.
    pub const JOB: Self = Self { base: Duration::from_secs(2), most: Duration::from_mins(5) };

    /// Between the tries to reach the queue's store or the Docker daemon again: 100 ms to 10 s.
    pub const RECONNECT: Self = Self { base: Duration::from_millis(100), most: Duration::from_secs(10) };

    /// The longest that the wait after `failures` failures before this one can be.
    #[must_use]
    pub fn ceiling(self, failures: u32) -> Duration {
        let factor = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.most)
    }

    /// A random wait between nothing and the [ceiling](Self::ceiling), so that what failed together does not come
    /// back together.
    #[must_use]
    pub fn jittered(self, failures: u32) -> Duration {
        self.ceiling(failures).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let seconds: Vec<u64> = (0..10).map(|failures| Backoff::JOB.ceiling(failures).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(Backoff::JOB.ceiling(u32::MAX), Duration::from_mins(5));
    }

    #[test]
    fn jitter_uses_the_whole_range() {
        let waits: Vec<f64> = (0..1000).map(|_| Backoff::JOB.jittered(3).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (0.0..=16.0).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 2.0) && waits.iter().any(|wait| *wait > 14.0));
    }
}
