//! Runners that are up before there is a job for them.

use redis::Value;
use time::OffsetDateTime;

use super::{Queue, keys, read::moment, script};
use crate::{
    model::{JobId, JobMessage, Pool, PoolName, Scope, WorkerName},
    queue::{Idle, IdleRunner, Lease, QueueError, Room},
};

impl Queue {
    /// Leases a warm runner of `pool`, under `id`, in the first of the scopes in which fewer runners than are wanted have no job: if the
    /// limits allow it, and no job waits that would do with its slot. `None` if there is none to be made.
    ///
    /// Not cancel-safe, as [`reserve`](Self::reserve) is not.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): call again after a pause.
    pub async fn refill(
        &self,
        pool: &Pool,
        worker: &WorkerName,
        id: JobId,
        wanted: &[(Scope, u32)],
    ) -> Result<Option<Lease>, QueueError> {
        let mut refill = script::REFILL.key(&keys::prefix(&pool.name));
        refill.arg(id.to_string()).arg(worker.as_str()).arg(self.lease_ms());
        for (scope, runners) in wanted {
            let message = JobMessage::warm(id, pool, scope.clone());
            let message = serde_json::to_string(&message).map_err(QueueError::store)?;
            refill.arg(scope.to_string()).arg(runners).arg(message);
        }
        let leased: Vec<Value> = self.store.script(&refill).await?;
        if leased.is_empty() {
            return Ok(None);
        }
        self.lease((&pool.name, worker), id.to_string(), &leased).await.map(Some)
    }

    /// What becomes of a runner that has no job. One that is to [go](Idle::Go) is replaced from then on, if another is wanted: ask again
    /// if it did not go.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn spare(&self, lease: &Lease, runner: IdleRunner) -> Result<Idle, QueueError> {
        let answer: String = self
            .store
            .script(
                script::SPARE
                    .key(&keys::prefix(lease.pool()))
                    .arg(lease.job_id().to_string())
                    .arg(lease.attempt)
                    .arg(lease.epoch)
                    .arg(runner.wanted)
                    .arg(u8::from(runner.job_is_gone))
                    .arg(u8::from(runner.is_outdated))
                    .arg(match runner.room {
                        Room::Enough => "",
                        Room::None => "room",
                        Room::Needed => "yield",
                    })
                    .arg(self.keep_ms()),
            )
            .await?;
        match answer.as_str() {
            "own" => Ok(Idle::Own),
            "stay" => Ok(Idle::Stay),
            "go" => Ok(Idle::Go),
            _ => Err(QueueError::unexpected(&answer)),
        }
    }

    /// Whether a job of a pool waits that could be started at once.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn has_startable(&self, pool: &PoolName) -> Result<bool, QueueError> {
        self.store.script(&script::WAITS.key(&keys::prefix(pool))).await
    }

    /// What time it is, by the store's clock.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn now(&self) -> Result<OffsetDateTime, QueueError> {
        let now = i64::try_from(self.time().await?).ok().and_then(moment);
        Ok(now.unwrap_or(OffsetDateTime::UNIX_EPOCH)) // a clock that shows more is broken
    }
}
