//! How a worker keeps its jobs.

use super::{CRASHES_MAX, ORPHAN_HOLD, RedisQueue, keys, millis, reserve::job_id, script};
use crate::{
    model::{JobId, PoolName},
    queue::{Beat, QueueError},
};

impl RedisQueue {
    /// Extends the leases that a worker holds in a pool, each by job and epoch, and brings back what is due there. To be called
    /// every third of a lease, even with no lease, so that somebody looks after the pool.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): call again soon; nothing is lost before the lease ends.
    pub async fn beat(&self, pool: &PoolName, leases: &[(JobId, u64)]) -> Result<Beat, QueueError> {
        let mut script = script::BEAT.prepare_invoke();
        script
            .key(keys::prefix(pool))
            .arg(self.lease_ms())
            .arg(CRASHES_MAX)
            .arg(millis(ORPHAN_HOLD))
            .arg(self.keep_ms());
        for (job, epoch) in leases {
            script.arg(job.get()).arg(epoch);
        }
        let (lost, cancelled): (Vec<String>, Vec<String>) = self.commands.script(&script).await?;
        let ids = |texts: Vec<String>| texts.iter().filter_map(|text| job_id(text)).collect();
        Ok(Beat { lost: ids(lost), cancelled: ids(cancelled) })
    }
}
