//! What GitHub says of a job after it was queued.

use super::{DELIVERY_MEMORY, Queue, keys, millis, script};
use crate::{
    model::{DeliveryId, JobId, PoolName},
    queue::{CancelOutcome, Noted, QueueError},
};

impl Queue {
    /// Cancels a job in whatever state it is; of an unknown one, remembers that it was cancelled, for its `queued` may
    /// come late. `pool` is where it is looked for first: pools may have changed since it came.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn cancel(
        &self,
        pool: &PoolName,
        job: JobId,
        delivery: Option<&DeliveryId>,
        reason: &str,
    ) -> Result<CancelOutcome, QueueError> {
        let mut pools = self.pools_from(pool);
        while let Some(pool) = pools.next().await? {
            if let Some(outcome) = self.cancel_in(&pool, job, delivery, reason, false).await? {
                return Ok(outcome);
            }
        }
        self.list_pool(pool).await?;
        let outcome = self.cancel_in(pool, job, delivery, reason, true).await?;
        outcome.ok_or_else(|| QueueError::unexpected(&["unknown"]))
    }

    /// `None` when the job is not known in this pool, and no tombstone was wanted.
    async fn cancel_in(
        &self,
        pool: &PoolName,
        job: JobId,
        delivery: Option<&DeliveryId>,
        reason: &str,
        tombstone: bool,
    ) -> Result<Option<CancelOutcome>, QueueError> {
        let answer: Vec<String> = self
            .store
            .script(
                script::CANCEL
                    .key(&keys::prefix(pool))
                    .arg(job.get())
                    .arg(reason)
                    .arg(self.keep_ms())
                    .arg(delivery.map_or("", DeliveryId::as_str))
                    .arg(millis(DELIVERY_MEMORY))
                    .arg(if tombstone { "1" } else { "0" }),
            )
            .await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["unknown"] => Ok(None),
            ["delivery"] => Ok(Some(CancelOutcome::DuplicateDelivery)),
            ["tombstone"] => Ok(Some(CancelOutcome::Tombstone)),
            ["cancelled"] => Ok(Some(CancelOutcome::Cancelled)),
            ["flagged"] => Ok(Some(CancelOutcome::Flagged)),
            ["ended", state] => state.parse().map(|state| Some(CancelOutcome::Ended(state))).map_err(QueueError::store),
            _ => Err(QueueError::unexpected(&answer)),
        }
    }

    /// Adds to a job's record what GitHub said of it. `pool` is where it is looked for first.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn note(
        &self,
        pool: &PoolName,
        job: JobId,
        delivery: &DeliveryId,
        detail: &str,
    ) -> Result<Noted, QueueError> {
        let mut pools = self.pools_from(pool);
        while let Some(pool) = pools.next().await? {
            let answer: String = self
                .store
                .script(
                    script::NOTE
                        .key(&keys::prefix(&pool))
                        .arg(job.get())
                        .arg(delivery.as_str())
                        .arg(millis(DELIVERY_MEMORY))
                        .arg(detail),
                )
                .await?;
            match answer.as_str() {
                "recorded" => return Ok(Noted::Recorded),
                "delivery" => return Ok(Noted::DuplicateDelivery),
                _ => {}
            }
        }
        Ok(Noted::Unknown)
    }
}
