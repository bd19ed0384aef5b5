//! How a worker waits for jobs.

use std::time::Duration;

use super::{Queue, keys};
use crate::{
    model::PoolName,
    queue::{QueueError, store::WAIT_MAX},
};

impl Queue {
    /// Waits until there may be work in one of `pools`, for `at_most` or five seconds, whichever is less.
    ///
    /// Cancel-safe: what it takes from the store is only a marker, which every change of the queue sets again.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): pause, for it did not wait.
    pub async fn wait(&self, pools: &[PoolName], at_most: Duration) -> Result<(), QueueError> {
        let markers: Vec<String> = pools.iter().map(keys::wake).collect();
        self.store.wait(&markers, at_most.min(WAIT_MAX)).await
    }
}
