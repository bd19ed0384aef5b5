//! Metrics, in the text format that Prometheus reads.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{encoding::text::encode, metrics::info::Info, registry};

/// What this build is, as a metric.
#[derive(Clone, Copy, Debug)]
pub struct BuildInfo {
    /// `ingest` or `worker`.
    pub component: &'static str,
    /// The package's version.
    pub version: &'static str,
}

/// The metrics of a process. Every name begins with `autoscaler_`.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Mutex<registry::Registry>>);

impl Registry {
    /// A registry with the build's info in it.
    #[must_use]
    pub fn new(build: BuildInfo) -> Self {
        let mut registry = registry::Registry::with_prefix("autoscaler");
        let labels = vec![("component", build.component), ("version", build.version)];
        registry.register("build", "What this build is", Info::new(labels));
        Self(Arc::new(Mutex::new(registry)))
    }

    /// Adds metrics.
    pub fn register<T>(&self, add: impl FnOnce(&mut registry::Registry) -> T) -> T {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All metrics as text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail.
        encode(&mut text, &registry).unwrap_or_default();
        text
    }
}
