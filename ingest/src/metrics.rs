//! What the process counts.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Unit,
};
use shared::telemetry::Registry;

use crate::webhook::Verdict;

/// Upper bounds of the histogram's buckets, in seconds: from a store on the same host to the queue's deadline and beyond.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.0, 10.0];

/// Counts deliveries.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryMetrics {
    deliveries: Family<[(&'static str, &'static str); 1], Counter>,
    seconds: Histogram,
}

impl DeliveryMetrics {
    /// Adds the metrics to `registry`. Every decision is there from the start, at 0: a rate needs a first value.
    pub(crate) fn new(registry: &Registry) -> Self {
        let metrics = Self { deliveries: Family::default(), seconds: Histogram::new(SECONDS) };
        for verdict in Verdict::ALL {
            drop(metrics.deliveries.get_or_create(&[("decision", verdict.word())]));
        }
        registry.register(|registry| {
            registry.register("deliveries", "Deliveries answered, by decision", metrics.deliveries.clone());
            registry.register_with_unit(
                "delivery",
                "From the head of a delivery to its answer",
                Unit::Seconds,
                metrics.seconds.clone(),
            );
        });
        metrics
    }

    /// Counts a delivery that was answered after `elapsed`.
    pub(crate) fn answered(&self, verdict: Verdict, elapsed: Duration) {
        self.deliveries.get_or_create(&[("decision", verdict.word())]).inc();
        self.seconds.observe(elapsed.as_secs_f64());
    }
}
