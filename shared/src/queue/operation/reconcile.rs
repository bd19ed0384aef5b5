//! What whoever compares the queue with GitHub has to know of the queue, and keeps in it from one look to the next.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use redis::{cmd, pipe};

use super::{Queue, job_ids, keys, millis, script};
use crate::{
    model::{DeliveryId, JobId, JobMessage, JobState, PoolName, WorkerName},
    queue::{LiveJob, Memo, QueueError, Redelivery, Standing},
};

/// How long it is remembered which delivery's redelivery was asked for: GitHub keeps deliveries for three days.
const REDELIVERY_MEMORY: Duration = Duration::from_hours(4 * 24);

/// How many of those that wait, are delayed or are leased are looked at in a pool: those that have waited the longest.
const LIVE_MAX: usize = 1000;

/// How many jobs are read with one call to the store.
const PAGE: usize = 200;

/// The fields of a job's hash that say how it stands.
const STANDING: [&str; 5] = ["state", "cancel", "served_by", "left", "end"];

/// The state, the message, and since when it waits, or came.
type Live = (Option<String>, Option<String>, Option<u64>, Option<u64>);

impl Queue {
    /// Takes the turn at comparing the queue with GitHub, for as long as `hold`, unless another has it, or had it of late
    /// ([`end_turn`](Self::end_turn)).
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn take_turn(&self, worker: &WorkerName, hold: Duration) -> Result<bool, QueueError> {
        let take = cmd("SET").arg(keys::TURN).arg(worker.as_str()).arg("NX").arg("PX").arg(millis(hold)).to_owned();
        let taken: Option<String> = self.store.query(&take).await?;
        Ok(taken.is_some())
    }

    /// Keeps the turn for another `hold`; `false` when it was lost.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn keep_turn(&self, worker: &WorkerName, hold: Duration) -> Result<bool, QueueError> {
        let holder: Option<String> = self.store.query(cmd("GET").arg(keys::TURN)).await?;
        if holder.as_deref() != Some(worker.as_str()) {
            return Ok(false);
        }
        let keep = cmd("SET").arg(keys::TURN).arg(worker.as_str()).arg("PX").arg(millis(hold)).to_owned();
        let _ok: String = self.store.query(&keep).await?;
        Ok(true)
    }

    /// Ends the turn: nobody takes one for `pause`.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn end_turn(&self, worker: &WorkerName, pause: Duration) -> Result<(), QueueError> {
        self.keep_turn(worker, pause).await.map(drop)
    }

    /// Everything that was put down under `memo`, with its number.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn memos(&self, memo: Memo) -> Result<HashMap<String, u64>, QueueError> {
        self.store.query(cmd("HGETALL").arg(keys::memo(memo))).await
    }

    /// Puts a number down for `item`.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn put_down(&self, memo: Memo, item: &str, number: u64) -> Result<(), QueueError> {
        let _new: u32 = self.store.query(cmd("HSET").arg(keys::memo(memo)).arg(item).arg(number)).await?;
        Ok(())
    }

    /// Crosses items out.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn cross_out(&self, memo: Memo, items: &[String]) -> Result<(), QueueError> {
        if !items.is_empty() {
            let _gone: u32 = self.store.query(cmd("HDEL").arg(keys::memo(memo)).arg(items)).await?;
        }
        Ok(())
    }

    /// Which attempt at a delivery it was whose redelivery was asked for last, and how long ago that was; none if none was.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn redelivery(&self, delivery: &DeliveryId) -> Result<Option<(Redelivery, Duration)>, QueueError> {
        let text: Option<String> = self.store.query(cmd("GET").arg(keys::redelivery(delivery))).await?;
        let Some(text) = text else { return Ok(None) };
        let now = self.time().await?;
        let numbers: Vec<u64> = text.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [attempt, times, at] = numbers[..] else { return Ok(None) };
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        Ok(Some((Redelivery { attempt, times }, Duration::from_millis(now.saturating_sub(at)))))
    }

    /// Puts down that a redelivery was asked for.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn redelivery_asked(&self, delivery: &DeliveryId, asked: Redelivery) -> Result<(), QueueError> {
        let Redelivery { attempt, times } = asked;
        let now = self.time().await?;
        let write = cmd("SET")
            .arg(keys::redelivery(delivery))
            .arg(format!("{attempt} {times} {now}"))
            .arg("PX")
            .arg(millis(REDELIVERY_MEMORY))
            .to_owned();
        let _ok: String = self.store.query(&write).await?;
        Ok(())
    }

    /// How jobs stand, of those that are known.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn standing(&self, jobs: &[JobId]) -> Result<HashMap<JobId, Standing>, QueueError> {
        let mut standing = HashMap::new();
        if jobs.is_empty() {
            return Ok(standing);
        }
        let now = self.time().await?;
        // What a pool has of a job counts more than that none took it once.
        let mut prefixes = vec![keys::UNMATCHED.to_owned()];
        prefixes.extend(self.pools().await?.iter().map(keys::prefix));
        for prefix in prefixes {
            for page in jobs.chunks(PAGE) {
                let mut commands = pipe();
                for job in page {
                    commands.cmd("HMGET").arg(keys::job(&prefix, *job)).arg(&STANDING);
                }
                let stored: Vec<[Option<String>; 5]> = self.store.pipeline(&commands).await?;
                let read = page.iter().zip(stored).filter_map(|(job, fields)| Some((*job, stands(fields, now)?)));
                standing.extend(read);
            }
        }
        Ok(standing)
    }

    /// Takes in that GitHub has a job in its queue of which the record says that its runner did its work: it had another job, of which
    /// nothing was heard. The job is opened again; `false` when it stands otherwise.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn missed(&self, pool: &PoolName, job: JobId) -> Result<bool, QueueError> {
        self.store.script(script::MISSED.key(&keys::prefix(pool)).arg(job.get())).await
    }

    /// The jobs that wait, are delayed or are leased, and have been for longer than `longer`.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn live_jobs(&self, longer: Duration) -> Result<Vec<LiveJob>, QueueError> {
        let now = self.time().await?;
        let mut live = Vec::new();
        for pool in self.pools().await? {
            let prefix = keys::prefix(&pool);
            let mut ids = HashSet::new();
            for set in ["queued", "delayed", "lease"] {
                let range = cmd("ZRANGE").arg(format!("{prefix}{set}")).arg(0).arg(LIVE_MAX - 1).to_owned();
                let entries: Vec<String> = self.store.query(&range).await?;
                ids.extend(job_ids(&entries));
            }
            let ids: Vec<JobId> = ids.into_iter().collect();
            for page in ids.chunks(PAGE) {
                let mut commands = pipe();
                for job in page {
                    commands.cmd("HMGET").arg(keys::job(&prefix, *job)).arg(&["state", "msg", "since", "enq"]);
                }
                let stored: Vec<Live> = self.store.pipeline(&commands).await?;
                let read = page.iter().zip(stored).filter_map(|(job, fields)| lives(*job, &pool, fields, now));
                live.extend(read.filter(|job| job.age > longer));
            }
        }
        Ok(live)
    }

    /// Whether a lease stands behind the runner that was made for `attempt` at `job`, whichever job it has.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn is_held(&self, job: JobId, attempt: u64) -> Result<bool, QueueError> {
        for pool in self.pools().await? {
            let key = keys::job(&keys::prefix(&pool), job);
            let mut commands = pipe();
            commands.cmd("HMGET").arg(&key).arg(&["state", "attempt"]).exists(format!("{key}~{attempt}"));
            let ((state, of), lent): ((Option<String>, Option<u64>), bool) = self.store.pipeline(&commands).await?;
            let leased = state.and_then(|state| state.parse().ok()).is_some_and(JobState::is_leased);
            if lent || (leased && of == Some(attempt)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Reads how a job stands; `None` when it is not known.
fn stands([state, cancel, served, left, end]: [Option<String>; 5], now: u64) -> Option<Standing> {
    let state = state?.parse().ok()?;
    let since = end.and_then(|end| end.parse().ok()).unwrap_or(now);
    let done = state == JobState::Done && [cancel, served, left].iter().all(Option::is_none);
    Some(Standing { state, done: done.then(|| Duration::from_millis(now.saturating_sub(since))) })
}

fn lives(job: JobId, pool: &PoolName, (state, text, since, came): Live, now: u64) -> Option<LiveJob> {
    let message: JobMessage = serde_json::from_str(&text?).ok()?;
    Some(LiveJob {
        id: job,
        pool: pool.clone(),
        state: state?.parse().ok()?,
        repository: message.repository?, // GitHub has no job for a warm runner
        scope: message.scope,
        age: Duration::from_millis(now.saturating_sub(since.or(came)?)),
    })
}
