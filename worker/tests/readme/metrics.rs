//! The table of metrics; `ingest` looks after its own rows.

use devstack::readme;
use shared::telemetry::Registry;
use worker::metrics::Metrics;

#[test]
fn the_table_of_metrics_has_those_of_the_worker() {
    let registry = Registry::new("worker");
    Metrics::new(&registry).serves(&["default".parse().unwrap()]);

    assert_eq!(readme::metric_names(&registry.encode()), readme::metrics_of("worker").unwrap());
}
