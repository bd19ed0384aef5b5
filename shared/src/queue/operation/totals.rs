//! How often what has happened.

use std::collections::HashMap;

use redis::cmd;

use super::{Queue, keys};
use crate::{
    model::PoolName,
    queue::{Happening, QueueError},
};

impl Queue {
    /// How often each has happened in a pool, since the store is there. It never gets less, unless the store loses it.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn totals(&self, pool: &PoolName) -> Result<[(Happening, u64); Happening::ALL.len()], QueueError> {
        let read = cmd("HGETALL").arg(format!("{}stats", keys::prefix(pool))).to_owned();
        let counted: HashMap<String, u64> = self.store.query(&read).await?;
        Ok(Happening::ALL.map(|happening| (happening, counted.get(happening.as_str()).copied().unwrap_or(0))))
    }
}
