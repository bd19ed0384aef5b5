//! How jobs come in.

use redis::Value;

use super::{DELIVERY_MEMORY, Queue, keys, millis, script};
use crate::{
    model::JobMessage,
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
        let text = serde_json::to_string(message).map_err(|error| QueueError::Store(Box::new(error)))?;
        self.list_pool(&message.pool).await?;
        let answer: Vec<String> = self
            .store
            .script(
                script::ENQUEUE
                    .key(&keys::prefix(&message.pool))
                    .arg(message.job_id.get())
                    .arg(message.delivery.as_str())
                    .arg(message.scope.to_string())
                    .arg(text)
                    .arg(millis(DELIVERY_MEMORY)),
            )
            .await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["stored"] => Ok(Enqueued::Stored),
            ["delivery"] => Ok(Enqueued::DuplicateDelivery),
            ["job", state] => {
                state.parse().map(Enqueued::DuplicateJob).map_err(|error| QueueError::Store(Box::new(error)))
            }
            _ => Err(QueueError::unexpected(&answer)),
        }
    }

    /// Keeps a record of a job that no pool takes, for whoever asks why it waits.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn record_unmatched(&self, job: &Unmatched) -> Result<(), QueueError> {
        let labels = serde_json::to_string(&job.labels).map_err(|error| QueueError::Store(Box::new(error)))?;
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
