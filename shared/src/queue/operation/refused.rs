//! Deliveries that were refused because nobody who knows the secret has signed them.

use std::time::Duration;

use redis::{Value, cmd, pipe};
use time::OffsetDateTime;

use super::{Queue, keys, millis, read::moment};
use crate::queue::QueueError;

/// How long they are remembered after the last one.
const MEMORY: Duration = Duration::from_hours(7 * 24);

impl Queue {
    /// Remembers that so many more deliveries were refused for their signature, for whoever asks why a job never came.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn count_refused(&self, deliveries: u64) -> Result<(), QueueError> {
        let now = self.time().await?;
        let mut commands = pipe();
        commands.cmd("HINCRBY").arg(keys::REFUSED).arg("count").arg(deliveries);
        commands.hset(keys::REFUSED, "last", now);
        commands.cmd("PEXPIRE").arg(keys::REFUSED).arg(millis(MEMORY));
        let _done: Vec<Value> = self.store.pipeline(&commands).await?;
        Ok(())
    }

    /// How many deliveries were refused for their signature of late, and when the last one was.
    pub(super) async fn refused(&self) -> Result<Option<(u64, OffsetDateTime)>, QueueError> {
        let read = cmd("HMGET").arg(keys::REFUSED).arg("count").arg("last").to_owned();
        let (count, last): (Option<u64>, Option<i64>) = self.store.query(&read).await?;
        Ok(count.zip(last.and_then(moment)))
    }
}
