//! How a worker keeps its jobs.

use super::{CRASHES_MAX, ORPHAN_HOLD, Queue, keys, millis, script};
use crate::{
    model::PoolName,
    queue::{Beat, LeaseId, QueueError},
};

impl Queue {
    /// Extends the leases that a worker holds in a pool, and brings back what is due there. To be called every third of a
    /// lease, even with no lease, so that somebody looks after the pool.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): call again soon; nothing is lost before the lease ends.
    pub async fn beat(&self, pool: &PoolName, leases: &[LeaseId]) -> Result<Beat, QueueError> {
        let mut script = script::BEAT.key(&keys::prefix(pool));
        script.arg(self.lease_ms()).arg(CRASHES_MAX).arg(millis(ORPHAN_HOLD)).arg(self.keep_ms());
        for lease in leases {
            script.arg(lease.job.to_string()).arg(lease.attempt).arg(lease.epoch);
        }
        let (lost, cancelled, limit_known): (Vec<usize>, Vec<usize>, bool) = self.store.script(&script).await?;
        let named =
            |numbers: Vec<usize>| numbers.into_iter().filter_map(|number| leases.get(number).copied()).collect();
        Ok(Beat { lost: named(lost), cancelled: named(cancelled), limit_known })
    }
}
