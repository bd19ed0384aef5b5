//! Dead letters: to be looked through, put back and taken out. They stay until one of that happens.

use redis::cmd;

use super::{Queue, job_ids, keys, read::moment, script};
use crate::{
    model::{JobId, JobState, PoolName},
    queue::{DeadLetters, JobRecord, QueueError},
};

/// How many dead letters are looked at, or changed, with one call to the store.
const PAGE: usize = 100;

impl Queue {
    /// The dead letters that are meant, at most `most`: pool by pool, those that died first in front.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn dead_letters(&self, which: &DeadLetters, most: usize) -> Result<Vec<JobRecord>, QueueError> {
        let mut found = Vec::new();
        for pool in self.pools().await? {
            for named in which.jobs.chunks(PAGE) {
                let named = self.meant(&pool, which, named).await?;
                found.extend(named.into_iter().filter(|job| job.state == JobState::Dead));
            }
            let mut from = 0;
            while which.jobs.is_empty() && found.len() < most {
                let page = self.dead_page(&pool, from).await?;
                if page.is_empty() {
                    break;
                }
                from += page.len();
                found.extend(self.meant(&pool, which, &page).await?);
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Puts the dead letters that are meant back into the queue, and returns which. Each keeps its message, its first error and its
    /// history, and has all attempts before it.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient); some may have been put back.
    pub async fn replay(&self, which: &DeadLetters) -> Result<Vec<JobId>, QueueError> {
        self.take_out(which, async |pool, ids| {
            let mut replay = script::REPLAY.key(&keys::prefix(pool));
            replay.arg(ids);
            self.store.script(&replay).await
        })
        .await
    }

    /// Takes out the dead letters that are meant, for good, and returns which. Their records stay for as long as those of other
    /// ended jobs, and say so.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient); some may have been taken out.
    pub async fn drop_dead(&self, which: &DeadLetters) -> Result<Vec<JobId>, QueueError> {
        self.take_out(which, async |pool, ids| {
            let mut drop = script::DROP.key(&keys::prefix(pool));
            drop.arg(self.keep_ms()).arg(ids);
            self.store.script(&drop).await
        })
        .await
    }

    /// Does something to the dead letters that are meant after which they are none, a page at a time. Those that die
    /// meanwhile may or may not be among them.
    async fn take_out(
        &self,
        which: &DeadLetters,
        act: impl AsyncFn(&PoolName, &[u64]) -> Result<Vec<String>, QueueError>,
    ) -> Result<Vec<JobId>, QueueError> {
        let mut taken = Vec::new();
        for pool in self.pools().await? {
            for named in which.jobs.chunks(PAGE) {
                let meant: Vec<u64> = self.meant(&pool, which, named).await?.iter().map(|job| job.id.get()).collect();
                if !meant.is_empty() {
                    taken.extend(job_ids(&act(&pool, &meant).await?)); // of those that are dead letters
                }
            }
            if !which.jobs.is_empty() {
                continue;
            }
            // What was there at the beginning: a job that dies again at once is not taken out again and again.
            let count: usize = self.store.query(cmd("ZCARD").arg(keys::dead(&pool))).await?;
            let (mut looked_at, mut passed_over) = (0, 0);
            while looked_at < count {
                let page = self.dead_page(&pool, passed_over).await?;
                if page.is_empty() {
                    break;
                }
                looked_at += page.len();
                let meant: Vec<u64> = self.meant(&pool, which, &page).await?.iter().map(|job| job.id.get()).collect();
                passed_over += page.len() - meant.len();
                if !meant.is_empty() {
                    taken.extend(job_ids(&act(&pool, &meant).await?));
                }
            }
        }
        Ok(taken)
    }

    /// The ids of a pool's dead letters from the `from`th on, by their age.
    async fn dead_page(&self, pool: &PoolName, from: usize) -> Result<Vec<JobId>, QueueError> {
        let command = cmd("ZRANGE").arg(keys::dead(pool)).arg(from).arg(from + PAGE - 1).to_owned();
        let page: Vec<String> = self.store.query(&command).await?;
        Ok(job_ids(&page))
    }

    /// The records of those of these jobs that are meant.
    async fn meant(&self, pool: &PoolName, which: &DeadLetters, jobs: &[JobId]) -> Result<Vec<JobRecord>, QueueError> {
        let now = moment(i64::try_from(self.time().await?).unwrap_or(i64::MAX));
        let is_meant = |record: &JobRecord| now.is_some_and(|now| which.mean(record, now));
        self.records_where(&keys::prefix(pool), Some(pool), jobs, is_meant).await
    }
}
