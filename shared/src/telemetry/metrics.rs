//! Metrics, in the text format that Prometheus reads.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{encoding::text::encode, metrics::info::Info, registry};

use crate::version;

/// The metrics of a process. Every name begins with `autoscaler_`.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Mutex<registry::Registry>>);

impl Registry {
    /// A registry with the info of this build of `ingest` or `worker` in it.
    #[must_use]
    pub fn new(component: &'static str) -> Self {
        let mut registry = registry::Registry::with_prefix("autoscaler");
        let labels = vec![("component", component), ("version", version::NUMBER), ("commit", version::COMMIT)];
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
