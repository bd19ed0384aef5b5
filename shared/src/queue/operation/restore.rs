//! How workers put back what the store has lost: by a failover, an old backup, or somebody's FLUSHALL.

use super::{Queue, keys, millis, script};
use crate::queue::{Backup, LeaseId, QueueError};

impl Queue {
    /// Puts back the record and the lease of a job that is not known any more. Returns `false` when it is known, so that the
    /// lease was lost in another way. (A record that has expired is not told from one that was lost: the worker would have to be
    /// silent for `QUEUE_KEEP_DAYS` after the job's end.)
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn restore(&self, lease: LeaseId, backup: &Backup) -> Result<bool, QueueError> {
        let job = &backup.job;
        let message = serde_json::to_string(job).map_err(QueueError::store)?;
        let mut script = script::RESTORE.key(&keys::prefix(&job.pool));
        script
            .arg(lease.job.to_string())
            .arg(lease.attempt)
            .arg(lease.epoch)
            .arg(backup.worker.as_str())
            .arg(self.lease_ms())
            .arg(job.scope.to_string())
            .arg(message)
            .arg(backup.attempts)
            .arg(millis(backup.waited))
            .arg(backup.replays);
        let restored = self.store.script(&script).await?;
        if restored {
            tracing::warn!(job.id = %lease.job, "The queue's store had lost the job; it is put back");
        }
        Ok(restored)
    }
}
