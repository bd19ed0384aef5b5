//! How a worker takes over a container that is up already.

use redis::Value;

use super::{Queue, keys, script};
use crate::{
    model::{JobId, JobState, PoolName, WorkerName},
    queue::{Adoption, QueueError},
};

impl Queue {
    /// The runners of `worker` that are up, as far as the queue knows: each by the job and the attempt that it was made for.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn runners_of(&self, pool: &PoolName, worker: &WorkerName) -> Result<Vec<(JobId, u64)>, QueueError> {
        let mut script = script::RUNNERS.key(&keys::prefix(pool));
        let words: Vec<String> = self.store.script(script.arg(worker.as_str())).await?;
        let pairs = words.chunks_exact(2);
        Ok(pairs.filter_map(|pair| Some((pair[0].parse().ok()?, pair[1].parse().ok()?))).collect())
    }

    /// Gives the lease of a runner, which was made for the `attempt` of `job`, to a worker that found its container up: to
    /// the worker that held it, after a restart, or to any worker once the one that held it fell silent.
    ///
    /// Not cancel-safe, as [`reserve`](Self::reserve) is not.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    pub async fn adopt(
        &self,
        pool: &PoolName,
        worker: &WorkerName,
        job: JobId,
        attempt: u64,
    ) -> Result<Adoption, QueueError> {
        let answer: Vec<Value> = self
            .store
            .script(
                script::ADOPT
                    .key(&keys::prefix(pool))
                    .arg(job.to_string())
                    .arg(attempt)
                    .arg(worker.as_str())
                    .arg(self.lease_ms()),
            )
            .await?;
        match &answer[..] {
            [Value::Int(1), leased @ ..] => self
                .lease((pool, worker), job.to_string(), leased)
                .await
                .map(|lease| Adoption::Adopted(Box::new(lease))),
            [Value::Int(_), Value::BulkString(state)] => {
                let state: Option<JobState> = String::from_utf8_lossy(state).parse().ok();
                Ok(Adoption::Refused(state))
            }
            _ => Err(QueueError::unexpected(&answer)),
        }
    }
}
