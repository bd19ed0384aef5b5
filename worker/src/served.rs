//! The pools that this worker serves, as they are now.

use std::sync::Arc;

use shared::{
    model::{PoolName, Pools},
    pools::LivePools,
};

/// The pools that this worker serves, as they are now. Clones share them.
#[derive(Clone, Debug)]
pub struct ServedPools {
    pools: LivePools,
    only: Vec<PoolName>,
}

impl ServedPools {
    /// Of all pools, only those that are named; all of them if none is.
    #[must_use]
    pub fn new(pools: LivePools, only: Vec<PoolName>) -> Self {
        Self { pools, only }
    }

    /// All pools, also those that others serve.
    #[must_use]
    pub fn all(&self) -> Arc<Pools> {
        self.pools.now()
    }

    /// The same, as they change.
    #[must_use]
    pub fn live(&self) -> &LivePools {
        &self.pools
    }

    /// The names of those that this worker serves. One that was removed is served until this process ends: jobs may wait in it.
    #[must_use]
    pub fn names(&self) -> Vec<PoolName> {
        let pools = self.all();
        let all = pools.iter().chain(pools.removed()).map(|pool| &pool.name);
        all.filter(|name| self.only.is_empty() || self.only.contains(name)).cloned().collect()
    }
}
