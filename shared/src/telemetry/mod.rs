//! What the processes say of themselves: logs and metrics.

mod metrics;
mod trace;

pub use metrics::Registry;
pub use trace::{LogFormat, TelemetryConfig, chain, init};
