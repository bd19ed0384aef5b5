//! How many runners there may be, as the queue holds it.

use serde::Serialize;

use crate::model::{PoolName, Scope};

/// What an operator changes about a pool's limits; `None` takes back what was set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LimitChange {
    /// How many runners there may be at once; with 0, no job is started.
    Pool(Option<u32>),
    /// How many of those for each scope.
    EachScope(Option<u32>),
    /// How many of those for one scope.
    Scope(Scope, Option<u32>),
}

/// A pool's limits.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PoolLimits {
    /// The pool.
    pub pool: PoolName,
    /// How many runners there may be at once: as an operator has set it, or else as configured; none while no worker has said so.
    pub max_runners: Option<u32>,
    /// The same, as the settings have it.
    pub configured: Option<u32>,
    /// How many of those for each scope; no other limit than the pool's if none.
    pub max_per_scope: Option<u32>,
    /// The same, as the settings have it.
    pub configured_per_scope: Option<u32>,
    /// Scopes for which an operator has set another number.
    pub scopes: Vec<(Scope, u32)>,
}

impl PoolLimits {
    /// How many of the pool's runners there may be for a scope; no other limit than the pool's if none.
    #[must_use]
    pub fn of_scope(&self, scope: &Scope) -> Option<u32> {
        let own = self.scopes.iter().find(|(name, _)| name == scope).map(|(_, most)| *most);
        own.or(self.max_per_scope)
    }
}
