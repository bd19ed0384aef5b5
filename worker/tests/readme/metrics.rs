//! The table of metrics; `ingest` looks after its own rows.

use devstack::readme;
use shared::telemetry::{BuildInfo, Registry};
use worker::metrics::Metrics;

#[test]
fn the_table_of_metrics_has_those_of_the_worker() {
    let registry = Registry::new(BuildInfo { component: "worker", version: "0" });
    let _metrics = Metrics::new(&registry);

    assert_eq!(readme::metric_names(&registry.encode()), readme::metrics_of("worker").unwrap());
}
