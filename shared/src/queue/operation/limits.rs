//! How many runners there may be. The numbers are in the store, so that workers cannot disagree.

use std::collections::HashMap;

use redis::cmd;

use super::{Queue, keys, script};
use crate::{
    model::{Pool, PoolName, Pools, Scope},
    queue::{LimitChange, PoolLimits, QueueError},
};

impl Queue {
    /// Tells the queue the limits of the pools, as the settings have them. The worker that started last decides; what an operator
    /// has set counts before that.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn set_limits(&self, pools: &Pools) -> Result<(), QueueError> {
        for pool in pools {
            self.set_limit(pool).await?;
        }
        Ok(())
    }

    /// The same for one pool.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn set_limit(&self, pool: &Pool) -> Result<(), QueueError> {
        self.list_again(std::slice::from_ref(&pool.name)).await?;
        let scope = pool.max_per_scope.map(|most| most.to_string()).unwrap_or_default();
        self.change(&pool.name, &[("pool", pool.max_runners.to_string()), ("scope", scope)]).await?;
        Ok(())
    }

    /// Sets a limit by hand, or takes back what was set. It holds from the next reservation on; runners that are up stay.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn change_limit(&self, pool: &PoolName, change: &LimitChange) -> Result<PoolLimits, QueueError> {
        let text = |number: &Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let (field, value) = match change {
            LimitChange::Pool(most) => ("set:pool".to_owned(), text(most)),
            LimitChange::EachScope(most) => ("set:scope".to_owned(), text(most)),
            LimitChange::Scope(scope, most) => (format!("set:scope:{scope}"), text(most)),
        };
        let fields = self.change(pool, &[(&field, value)]).await?;
        Ok(limits(pool, &fields))
    }

    /// The limits of all pools.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn limits(&self) -> Result<Vec<PoolLimits>, QueueError> {
        let mut all = Vec::new();
        for pool in self.pools().await? {
            all.push(self.limits_of(&pool).await?);
        }
        Ok(all)
    }

    /// The limits of one pool.
    pub(super) async fn limits_of(&self, pool: &PoolName) -> Result<PoolLimits, QueueError> {
        let fields = self.store.query(&cmd("HGETALL").arg(keys::limits(pool)).to_owned()).await?;
        Ok(limits(pool, &fields))
    }

    async fn change(&self, pool: &PoolName, fields: &[(&str, String)]) -> Result<HashMap<String, String>, QueueError> {
        let mut script = script::LIMITS.key(&keys::prefix(pool));
        for (field, value) in fields {
            script.arg(field).arg(value);
        }
        self.store.script(&script).await
    }
}

fn limits(pool: &PoolName, fields: &HashMap<String, String>) -> PoolLimits {
    let number = |field: &str| fields.get(field).and_then(|text| text.parse::<u32>().ok());
    let mut scopes: Vec<(Scope, u32)> = fields
        .iter()
        .filter_map(|(field, value)| Some((field.strip_prefix("set:scope:")?.parse().ok()?, value.parse().ok()?)))
        .collect();
    scopes.sort();
    PoolLimits {
        pool: pool.clone(),
        max_runners: number("set:pool").or(number("pool")),
        configured: number("pool"),
        max_per_scope: number("set:scope").or(number("scope")),
        configured_per_scope: number("scope"),
        scopes,
    }
}
