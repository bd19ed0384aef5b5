//! How long jobs waited over the last day.

use std::collections::HashMap;

use redis::pipe;

use super::{Queue, keys, millis, read::moment};
use crate::{
    model::PoolName,
    queue::{QueueError, Waits},
};

impl Queue {
    /// How long the jobs of a pool had waited that began to run within the last day: a quarter of an hour each, the oldest in front.
    /// When the jobs are moved to another store, this is left behind.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn waits(&self, pool: &PoolName) -> Result<Vec<Waits>, QueueError> {
        let last = self.time().await? / millis(Waits::QUARTER);
        let quarters: Vec<u64> = (0..Waits::QUARTERS as u64).rev().map(|ago| last.saturating_sub(ago)).collect();
        let mut commands = pipe();
        for quarter in &quarters {
            commands.hgetall(keys::waits(pool, *quarter));
        }
        let counted: Vec<HashMap<u32, u64>> = self.store.pipeline(&commands).await?;
        let waits = quarters.iter().zip(counted).filter_map(|(quarter, counted)| {
            Some(Waits::new(moment(i64::try_from(quarter * millis(Waits::QUARTER)).ok()?)?, counted))
        });
        Ok(waits.collect())
    }
}
