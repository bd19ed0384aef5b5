//! What GitHub last said of its rate limits, as metrics.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};
use shared::model::{Caller, Heard};
use tokio::time::Instant;

/// The most callers and resources that are remembered: an App has a caller for each account where it is installed.
const KNOWN_MAX: usize = 10_000;

/// What is left of GitHub's rate limits, by what GitHub last told this worker. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimits(Arc<Mutex<HashMap<(Caller, String), Left>>>);

#[derive(Clone, Copy, Debug)]
struct Left {
    limit: u64,
    remaining: u64,
    /// When all of it is there again.
    reset: Instant,
}

/// Kind of caller and resource.
type Of = (&'static str, String);

impl RateLimits {
    /// Takes in what an answer said.
    pub(crate) fn learn(&self, caller: &Caller, heard: &Heard) {
        let Some(bucket) = &heard.bucket else { return };
        let now = Instant::now();
        let left = Left { limit: bucket.limit, remaining: bucket.remaining, reset: now + bucket.reset };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, left| left.reset > now);
        }
        known.insert((caller.clone(), bucket.resource.clone()), left);
    }

    /// Limit and rest of each kind: of several callers, those of the one that has the least left.
    fn least(&self, now: Instant) -> BTreeMap<Of, (u64, u64)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut least: BTreeMap<Of, (u64, u64)> = BTreeMap::new();
        for ((caller, resource), left) in known.iter() {
            let remaining = if left.reset > now { left.remaining } else { left.limit };
            let entry = least.entry((caller.kind().as_str(), resource.clone())).or_insert((left.limit, remaining));
            if remaining < entry.1 {
                *entry = (left.limit, remaining);
            }
        }
        least
    }
}

impl Collector for RateLimits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let least = self.least(Instant::now());
        for (name, help, value) in [
            ("github_rate_limit", "Requests that GitHub grants in a period", (|of| of.0) as fn((u64, u64)) -> u64),
            ("github_rate_limit_remaining", "Requests that GitHub grants until the period ends", |of| of.1),
        ] {
            let mut each = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for ((caller, resource), of) in &least {
                let labels = [("caller", *caller), ("resource", resource.as_str())];
                ConstGauge::new(value(*of)).encode(each.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::model::{Bucket, CallerKind, Verdict};

    use super::*;

    fn heard(remaining: u64) -> Heard {
        let reset = Duration::from_mins(1);
        let bucket = Bucket { resource: "core".to_owned(), limit: 5000, remaining, reset };
        Heard { endpoint: "GET a".to_owned(), status: Some(200), bucket: Some(bucket), verdict: Verdict::Done }
    }

    #[test]
    fn of_several_installations_the_one_is_shown_that_has_the_least_left_until_its_reset() {
        let limits = RateLimits::default();
        for (name, remaining) in [("one", 4000), ("two", 10), ("three", 3000)] {
            limits.learn(&Caller::new(CallerKind::Installation, name.to_owned()), &heard(remaining));
        }
        let of = ("installation", "core".to_owned());
        let now = Instant::now();
        assert_eq!(limits.least(now), [(of.clone(), (5000, 10))].into());
        assert_eq!(limits.least(now + Duration::from_mins(2)), [(of, (5000, 5000))].into());
    }
}
