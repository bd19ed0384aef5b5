//! The jobs that have ended, one look after the other: for whoever tells others of each.

use std::time::Duration;

use redis::{cmd, pipe};

use super::{Queue, job_ids, keys, millis};
use crate::{
    model::{JobId, JobMessage, PoolName, WorkerName},
    queue::{JobRecord, QueueError},
};

/// What has just ended is left for the next look: more may yet end in the same millisecond.
const MARGIN_MS: u64 = 200;

/// Jobs that ended since the last look.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Their messages and records, the first in front.
    pub jobs: Vec<(JobMessage, JobRecord)>,
    /// When the last of them ended, by the store's clock in milliseconds: [told](Queue::told) of, they are not shown again.
    pub until: u64,
    /// Whether there are more.
    pub more: bool,
}

impl Queue {
    /// Lets a worker be the only one that looks at what has ended in a pool, for as long as `hold`; `false` while another is.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn may_tell(&self, pool: &PoolName, worker: &WorkerName, hold: Duration) -> Result<bool, QueueError> {
        let key = keys::telling(pool);
        let take = cmd("SET").arg(&key).arg(worker.as_str()).arg("NX").arg("PX").arg(millis(hold)).to_owned();
        let taken: Option<String> = self.store.query(&take).await?;
        if taken.is_some() {
            return Ok(true);
        }
        let holder: Option<String> = self.store.query(cmd("GET").arg(&key)).await?;
        Ok(holder.as_deref() == Some(worker.as_str()))
    }

    /// The jobs of a pool that have ended since those that were [told](Self::told) of, `most` of them or a few more. The first look
    /// of all shows none.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn ended(&self, pool: &PoolName, most: usize) -> Result<Ended, QueueError> {
        let now = self.time().await?.saturating_sub(MARGIN_MS);
        let told: Option<u64> = self.store.query(cmd("GET").arg(keys::told(pool))).await?;
        let Some(told) = told else {
            self.told(pool, now).await?;
            return Ok(Ended::default());
        };
        let (mut found, mut until, mut more) = (Vec::new(), now, false);
        for set in ["ended", "dead"] {
            let some = self.ended_in(pool, set, (told + 1, now), most).await?;
            if let Some((_, last)) = some.last().filter(|_| some.len() >= most) {
                // There may be more of that millisecond, unless all are of it.
                let whole = if some.first().is_some_and(|(_, first)| first == last) { *last } else { last - 1 };
                until = until.min(whole);
                more = true;
            }
            found.extend(some);
        }
        found.retain(|(_, at)| *at <= until);
        found.sort_by_key(|(_, at)| *at);
        let ids: Vec<JobId> = job_ids(&found.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
        Ok(Ended { jobs: self.with_messages(pool, &ids).await?, until, more })
    }

    async fn with_messages(&self, pool: &PoolName, jobs: &[JobId]) -> Result<Vec<(JobMessage, JobRecord)>, QueueError> {
        let prefix = keys::prefix(pool);
        let records = self.records(&prefix, Some(pool), jobs).await?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = pipe();
        for record in &records {
            commands.hget(keys::job(&prefix, record.id), "msg");
        }
        let messages: Vec<Option<String>> = self.store.pipeline(&commands).await?;
        let read = messages.into_iter().zip(records);
        Ok(read.filter_map(|(text, record)| Some((serde_json::from_str(&text?).ok()?, record))).collect())
    }

    /// Notes that others were told of the jobs that had ended by then.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn told(&self, pool: &PoolName, until: u64) -> Result<(), QueueError> {
        let _ok: String = self.store.query(cmd("SET").arg(keys::told(pool)).arg(until)).await?;
        Ok(())
    }

    async fn ended_in(
        &self,
        pool: &PoolName,
        set: &str,
        (least, greatest): (u64, u64),
        most: usize,
    ) -> Result<Vec<(String, u64)>, QueueError> {
        let key = format!("{}{set}", keys::prefix(pool));
        let range = cmd("ZRANGE")
            .arg(key)
            .arg(least)
            .arg(greatest)
            .arg("BYSCORE")
            .arg("LIMIT")
            .arg(0)
            .arg(most)
            .arg("WITHSCORES")
            .to_owned();
        self.store.query(&range).await
    }
}
