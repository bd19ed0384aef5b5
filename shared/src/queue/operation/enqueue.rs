//! How jobs come in.

use redis::Value;

use super::{DELIVERY_MEMORY, Queue, keys, millis, script};
use crate::{
    model::{JobMessage, PoolName},
    queue::{Enqueued, QueueError, Unmatched},
};

impl Queue {
    /// Stores a job, once: by the delivery's GUID and by the job's id.
    ///
    /// After an error it is not known whether it is stored; a repeat finds out.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): tell the sender to deliver again.
    pub async fn enqueue(&self, message: &JobMessage) -> Result<Enqueued, QueueError> {
        let became = self.enqueue_all(&message.pool, [message]).await?;
        became.into_iter().next().ok_or_else(|| QueueError::unexpected(&"nothing"))
    }

    /// Stores jobs of one pool, each as [`enqueue`](Self::enqueue) does, by one call: so each takes less of the store's time.
    /// Not more than some dozens, for the store does nothing else meanwhile. Returns what became of each, in their order.
    ///
    /// # Errors
    ///
    /// As for one. It is the same for all.
    pub async fn enqueue_all(
        &self,
        pool: &PoolName,
        messages: impl IntoIterator<Item = &JobMessage>,
    ) -> Result<Vec<Enqueued>, QueueError> {
        let mut call = script::ENQUEUE.key(&keys::prefix(pool));
        call.arg(millis(DELIVERY_MEMORY));
        let mut jobs = 0;
        for message in messages {
            let text = serde_json::to_string(message).map_err(QueueError::store)?;
            call.arg(message.job_id.get()).arg(message.delivery.as_str()).arg(message.scope.to_string()).arg(text);
            jobs += 1;
        }
        self.list_pool(pool).await?;
        let answer: String = self.store.script(&call).await?;
        let became: Vec<_> = answer.split(' ').map(became).collect::<Result<_, _>>()?;
        if became.len() == jobs { Ok(became) } else { Err(QueueError::unexpected(&answer)) }
    }

    /// Keeps a record of a job that no pool takes, for whoever asks why it waits.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn record_unmatched(&self, job: &Unmatched) -> Result<(), QueueError> {
        let labels = serde_json::to_string(&job.labels).map_err(QueueError::store)?;
        let _kept: Value = self
            .store
            .script(
                script::UNMATCHED
                    .key(keys::UNMATCHED)
                    .arg(job.job_id.get())
                    .arg(job.repository.as_str())
                    .arg(labels)
                    .arg(job.reason)
                    .arg(&job.detail)
                    .arg(self.keep_ms()),
            )
            .await?;
        Ok(())
    }
}

/// What the script says of a job.
fn became(word: &str) -> Result<Enqueued, QueueError> {
    match word {
        "stored" => Ok(Enqueued::Stored),
        "delivery" => Ok(Enqueued::DuplicateDelivery),
        state => state.parse().map(Enqueued::DuplicateJob).map_err(QueueError::store),
    }
}
