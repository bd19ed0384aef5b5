//! How a worker gets a job.

use std::{sync::Arc, time::Duration};

use redis::Value;

use super::{CRASHES_MAX, ORPHAN_HOLD, Queue, keys, millis, script};
use crate::{
    model::{PoolName, WorkerName},
    queue::{Lease, News, QueueError, Reserved, Settlement},
};

impl Queue {
    /// Leases the next job of a pool, if the pool's limit allows it.
    ///
    /// The lease lasts for [`QueueConfig::lease_seconds`](crate::queue::QueueConfig::lease_seconds) by the store's clock; beat to extend it.
    ///
    /// Not cancel-safe: a call dropped half-way may leave a job leased to nobody until the lease expires. Await it; never
    /// race it in a `select!`.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): call again after a pause. [`QueueError::Corrupt`]: the job
    /// became a dead letter; call again at once.
    pub async fn reserve(&self, pool: &PoolName, worker: &WorkerName) -> Result<Reserved, QueueError> {
        let answer: Vec<Value> = self
            .store
            .script(
                script::RESERVE
                    .key(&keys::prefix(pool))
                    .arg(worker.as_str())
                    .arg(self.lease_ms())
                    .arg(CRASHES_MAX)
                    .arg(millis(ORPHAN_HOLD))
                    .arg(self.keep_ms()),
            )
            .await?;
        let [Value::BulkString(word), rest @ ..] = &answer[..] else { return Err(QueueError::unexpected(&answer)) };
        match (&word[..], rest) {
            (b"full", []) => Ok(Reserved::Full),
            (b"unlimited", []) => Ok(Reserved::LimitUnknown),
            (b"again", []) => Ok(Reserved::Again),
            (b"paused", [Value::Int(ms)]) => Ok(Reserved::Paused(from_millis(*ms))),
            (b"empty", [Value::Int(ms)]) => Ok(Reserved::Empty { next_due: (*ms >= 0).then(|| from_millis(*ms)) }),
            (b"job", [Value::BulkString(id), leased @ ..]) => {
                let id = String::from_utf8_lossy(id).into_owned();
                self.lease((pool, worker), id, leased).await.map(|lease| Reserved::Job(Box::new(lease)))
            }
            _ => Err(QueueError::unexpected(&answer)),
        }
    }

    /// Makes a lease of what a script returned: attempt, epoch, message, failed attempts, ms that the job has waited, replays.
    /// A job whose message cannot be read becomes a dead letter.
    pub(super) async fn lease(
        &self,
        (pool, worker): (&PoolName, &WorkerName),
        id: String,
        leased: &[Value],
    ) -> Result<Lease, QueueError> {
        let [
            Value::Int(attempt),
            Value::Int(epoch),
            Value::BulkString(message),
            Value::Int(attempts),
            Value::Int(waited),
            Value::Int(replays),
        ] = leased
        else {
            return Err(QueueError::unexpected(&leased));
        };
        let [attempt, epoch] = [attempt, epoch].map(|number| u64::try_from(*number).unwrap_or_default());
        match serde_json::from_slice(message) {
            Ok(job) => Ok(Lease {
                job,
                worker: worker.clone(),
                attempt,
                epoch,
                attempts: u32::try_from(*attempts).unwrap_or_default(),
                replays: u32::try_from(*replays).unwrap_or_default(),
                waited: from_millis(*waited),
                cancelled: false,
                news: News::default(),
            }),
            Err(error) => {
                let error_text = format!("corrupt: its message cannot be read: {error}");
                self.settle_id(pool, &id, (attempt, epoch), &Settlement::Dead { error: error_text }, &[]).await?;
                Err(QueueError::Corrupt { id, source: Arc::new(error) })
            }
        }
    }
}

/// A time that a script returned.
pub(super) fn from_millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}
