//! What a worker tells of its jobs, and how it gives them back.

use std::time::Duration;

use redis::Value;
use tokio::time::sleep;

use super::{Queue, beat::add_events, keys, millis, script};
use crate::{
    backoff::Backoff,
    model::{JobState, PoolName, RunnerName},
    queue::{Lease, PostMortem, QueueError, Settlement, news::Happened},
};

/// Where a job has come to in its worker's hands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress<'a> {
    /// The runner that was made for it.
    pub runner: Option<&'a RunnerName>,
    /// That it is a runner which an earlier attempt has made, and which was found up: that attempt.
    pub found: Option<u64>,
    /// Whether its container is up, or is about to be: from now on it may outlive its worker, so its slot is held, and the
    /// job is not started again elsewhere.
    pub started: bool,
    /// That nothing of it is up any more, and it took no job: from now on the job may be started again elsewhere.
    pub gone: bool,
    /// That the runner has ended for good, with what is to be said of it: from now on the job is done, even if nobody
    /// comes to settle it.
    pub exited: Option<&'a str>,
    /// How its container ended, which may be removed once this is written.
    pub post_mortem: Option<Ending<'a>>,
}

/// How a runner's container ended, for its job's record.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// Whether it failed: the end of a later one that did not leaves this to be shown.
    pub failed: bool,
    /// What is to be said of it.
    pub post_mortem: &'a PostMortem,
}

impl Queue {
    /// Writes what has happened to the record, and moves the job on; the lease knows then whether its job was cancelled. A record
    /// that the store has lost is put back first.
    ///
    /// # Errors
    ///
    /// [`QueueError::LeaseLost`]: stop. Those that [are transient](QueueError::is_transient): what has happened stays noted
    /// in the lease, to be written with the next call.
    pub async fn progress(&self, lease: &mut Lease, progress: Progress<'_>) -> Result<(), QueueError> {
        let state = match (progress.started, progress.gone) {
            (_, true) => Some(JobState::Starting),
            (true, false) => Some(JobState::Running),
            (false, false) => None,
        };
        let mut script = script::PROGRESS.key(&keys::prefix(lease.pool()));
        script
            .arg(lease.job_id().to_string())
            .arg(lease.attempt)
            .arg(lease.epoch)
            .arg(state.map_or("", JobState::as_str))
            .arg(progress.runner.map_or("", RunnerName::as_str))
            .arg(progress.found.map(|attempt| attempt.to_string()).unwrap_or_default())
            .arg(progress.exited.unwrap_or_default());
        let ending = progress.post_mortem.map(|ending| serde_json::to_string(ending.post_mortem));
        let ending = ending.transpose().map_err(QueueError::store)?;
        script
            .arg(progress.post_mortem.map_or("", |ending| if ending.failed { "failed" } else { "last" }))
            .arg(ending.unwrap_or_default());
        let telling = lease.news.tell().await;
        add_events(&mut script, &telling.events);
        let mut answer: String = self.store.script(&script).await?;
        if answer == "lost" && self.restore(lease.id(), &lease.backup()).await? {
            answer = self.store.script(&script).await?;
        }
        if answer == "lost" {
            return Err(QueueError::LeaseLost { job_id: lease.job_id() });
        }
        lease.cancelled = answer == "cancelled";
        lease.attempt = progress.found.unwrap_or(lease.attempt);
        telling.were_told();
        Ok(())
    }

    /// Ends `lease` as `settlement` says, and returns the job's state then. Tries again for as long as it takes: the store refuses it once another
    /// worker holds the job, so it can do no harm, and to give up would mean to do the work again. A record that the store has lost is put
    /// back first, so that a job which is to be tried again is.
    ///
    /// # Errors
    ///
    /// [`QueueError::LeaseLost`]: another worker may hold the job by now.
    pub async fn settle(&self, lease: Lease, settlement: Settlement) -> Result<JobState, QueueError> {
        let id = lease.job_id().to_string();
        let mut failures = 0;
        loop {
            match self.settle_lease(&lease, &id, &settlement).await {
                Err(error) if error.is_transient() => {
                    if failures == 0 {
                        let error = crate::telemetry::chain(&error);
                        tracing::warn!(job.id = %id, error, "Cannot settle the job yet; trying on");
                    }
                    sleep(Backoff::RECONNECT.jittered(failures).max(Duration::from_millis(50))).await;
                    failures = failures.saturating_add(1);
                }
                Ok(None) => return Err(QueueError::LeaseLost { job_id: lease.job_id() }),
                Ok(Some(state)) => return Ok(state),
                Err(error) => return Err(error),
            }
        }
    }

    async fn settle_lease(
        &self,
        lease: &Lease,
        id: &str,
        settlement: &Settlement,
    ) -> Result<Option<JobState>, QueueError> {
        let of = (lease.attempt, lease.epoch);
        let telling = lease.news.tell().await;
        let mut settled = self.settle_id(lease.pool(), id, of, settlement, &telling.events).await?;
        if settled.is_none() && self.restore(lease.id(), &lease.backup()).await? {
            settled = self.settle_id(lease.pool(), id, of, settlement, &telling.events).await?;
        }
        telling.were_told();
        Ok(settled)
    }

    /// Ends the lease of an attempt and epoch; `None` when it was lost.
    pub(super) async fn settle_id(
        &self,
        pool: &PoolName,
        id: &str,
        (attempt, epoch): (u64, u64),
        settlement: &Settlement,
        events: &[Happened],
    ) -> Result<Option<JobState>, QueueError> {
        let (outcome, detail, delay) = match settlement {
            Settlement::Done { detail } => ("done", detail, Duration::ZERO),
            Settlement::Idle { detail } => ("idle", detail, Duration::ZERO),
            Settlement::Retry { delay, error } => ("retry", error, *delay),
            Settlement::Dead { error } => ("dead", error, Duration::ZERO),
            Settlement::Cancelled { reason } => ("cancelled", reason, Duration::ZERO),
            Settlement::Limited { delay, reason } => ("limited", reason, *delay),
            Settlement::Release { delay, reason } => ("release", reason, *delay),
        };
        let mut script = script::SETTLE.key(&keys::prefix(pool));
        script
            .arg(id)
            .arg(attempt)
            .arg(epoch)
            .arg(outcome)
            .arg(detail)
            .arg(millis(delay))
            .arg(self.config.max_attempts)
            .arg(self.keep_ms());
        add_events(&mut script, events);
        let answer: Vec<Value> = self.store.script(&script).await?;
        let [Value::Int(held), Value::BulkString(state)] = &answer[..] else {
            return Err(QueueError::unexpected(&answer));
        };
        if *held == 0 {
            return Ok(None);
        }
        let state = String::from_utf8_lossy(state).parse();
        state.map(Some).map_err(QueueError::store)
    }
}
