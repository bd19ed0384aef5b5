//! What runners are still good for.

use super::{Queue, keys, script};
use crate::{
    model::{PoolName, Scope},
    queue::QueueError,
};

impl Queue {
    /// Whether jobs of a pool wait that runners of this scope can get.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn has_demand(&self, pool: &PoolName, scope: &Scope) -> Result<bool, QueueError> {
        self.store.script(script::DEMAND.key(&keys::prefix(pool)).arg(scope.to_string())).await
    }
}
