//! What follows from GitHub's giving a job to a runner: to its own, to that of another job, or to somebody else's.

use super::{DELIVERY_MEMORY, Queue, keys, millis, script};
use crate::{
    model::{JobId, PoolName},
    queue::{Noted, QueueError, Served, ServedBy},
};

/// What a script made of the job.
enum Verdict {
    /// The job is not known in that pool.
    Unknown,
    /// It needs no runner of its own, and the one that it got is this job's loss.
    Lost { job: JobId, attempt: u64 },
    /// All is done, and what became of the delivery.
    Noted(Noted),
}

impl Queue {
    /// Takes in that a job runs, or ran: it needs no runner of its own any more. When its runner was made for another job, that
    /// job is opened again, for its runner is taken.
    ///
    /// May be repeated, whoever was interrupted where. `pool` is where the job is looked for first.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn served(&self, pool: &PoolName, served: &Served<'_>) -> Result<Noted, QueueError> {
        match self.close_served(pool, served).await? {
            Verdict::Unknown => Ok(Noted::Unknown),
            Verdict::Noted(noted) => Ok(noted),
            Verdict::Lost { job, attempt } => {
                let ended = served.completed.then_some(served.detail);
                self.reopen(pool, job, attempt, (served.job, ended)).await?;
                // Last, for the delivery counts as dealt with from then on.
                self.note(pool, served.job, served.delivery, served.detail).await
            }
        }
    }

    async fn close_served(&self, pool: &PoolName, served: &Served<'_>) -> Result<Verdict, QueueError> {
        let mut pools = self.pools_from(pool);
        while let Some(pool) = pools.next().await? {
            match self.close_served_in(&pool, served, false).await? {
                Verdict::Unknown => {}
                verdict => return Ok(verdict),
            }
        }
        self.list_pool(pool).await?;
        self.close_served_in(pool, served, true).await
    }

    async fn close_served_in(
        &self,
        pool: &PoolName,
        served: &Served<'_>,
        tombstone: bool,
    ) -> Result<Verdict, QueueError> {
        let made_for = match served.by {
            ServedBy::Own { attempt } => attempt.to_string(),
            ServedBy::Other { job, attempt } => format!("{job}~{attempt}"),
            ServedBy::Foreign => "foreign".to_owned(),
        };
        let (verdict, delivery): (String, String) = self
            .store
            .script(
                script::SERVED
                    .key(&keys::prefix(pool))
                    .arg(served.job.get())
                    .arg(served.runner)
                    .arg(made_for)
                    .arg(u8::from(served.completed))
                    .arg(served.detail)
                    .arg(self.keep_ms())
                    .arg(u8::from(tombstone))
                    .arg(served.delivery.as_str())
                    .arg(millis(DELIVERY_MEMORY)),
            )
            .await?;
        match (verdict.as_str(), delivery.as_str(), served.by) {
            ("unknown", ..) => Ok(Verdict::Unknown),
            (_, "recorded", _) => Ok(Verdict::Noted(Noted::Recorded)),
            (_, "delivery", _) => Ok(Verdict::Noted(Noted::DuplicateDelivery)),
            // Also of one that was closed for this runner before: the call that did so may have come no further.
            ("closed" | "before", "open", ServedBy::Other { job, attempt }) => Ok(Verdict::Lost { job, attempt }),
            _ => Err(QueueError::unexpected(&(verdict, delivery))),
        }
    }

    /// Opens a job again whose runner, that of `attempt`, took another job; with that one, what is to be said of its
    /// end, if it has ended. `pool` is where it is looked for first. May be repeated.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn reopen(
        &self,
        pool: &PoolName,
        job: JobId,
        attempt: u64,
        took: (JobId, Option<&str>),
    ) -> Result<(), QueueError> {
        let mut pools = self.pools_from(pool);
        while let Some(pool) = pools.next().await? {
            if self.reopen_in(&pool, job, attempt, took).await? {
                break;
            }
        }
        Ok(())
    }

    /// The same in one pool; `false` when it does not know the job.
    async fn reopen_in(
        &self,
        pool: &PoolName,
        job: JobId,
        attempt: u64,
        (took, ended): (JobId, Option<&str>),
    ) -> Result<bool, QueueError> {
        let answer: String = self
            .store
            .script(
                script::CROSSOVER
                    .key(&keys::prefix(pool))
                    .arg(job.to_string())
                    .arg(attempt)
                    .arg(took.get())
                    .arg(ended.unwrap_or_default())
                    .arg(self.keep_ms()),
            )
            .await?;
        Ok(answer != "unknown")
    }

    /// Whether the runner that was made for this attempt took another job.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn took_another(&self, pool: &PoolName, job: JobId, attempt: u64) -> Result<bool, QueueError> {
        let key = keys::job(&keys::prefix(pool), job);
        self.store.query(redis::cmd("HEXISTS").arg(key).arg(format!("lent:{attempt}"))).await
    }
}
