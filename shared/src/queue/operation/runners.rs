//! The runners that are up, or being prepared.

use redis::{cmd, from_redis_value, pipe};

use super::{Queue, keys};
use crate::{
    model::{JobId, JobState, PoolName},
    queue::QueueError,
    status::RunnerSlot,
};

/// The fields of an entry that tell of its runner.
const FIELDS: [&str; 5] = ["state", "runner", "scope", "worker", "busy"];

/// They, in that order.
type Stored = [Option<String>; FIELDS.len()];

impl Queue {
    /// The runners of all pools that have a slot: those that are up, and those that are being prepared.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn runners(&self) -> Result<Vec<RunnerSlot>, QueueError> {
        let mut runners = Vec::new();
        for pool in self.pools().await? {
            let prefix = keys::prefix(&pool);
            let leased = cmd("ZRANGE").arg(format!("{prefix}lease")).arg(0).arg(-1).to_owned();
            let entries: Vec<String> = self.store.query(&leased).await?;
            if entries.is_empty() {
                continue;
            }
            let mut commands = pipe();
            for entry in &entries {
                let (job, attempt) = entry.split_once('~').unwrap_or((entry, ""));
                commands.cmd("HMGET").arg(format!("{prefix}job:{entry}")).arg(&FIELDS);
                commands.cmd("HGET").arg(format!("{prefix}job:{job}")).arg(format!("lent:{attempt}"));
            }
            let answers: Vec<redis::Value> = self.store.pipeline(&commands).await?;
            for (entry, answer) in entries.iter().zip(answers.chunks_exact(2)) {
                let read = || Ok((from_redis_value(answer[0].clone())?, from_redis_value(answer[1].clone())?));
                let read: Result<(Stored, Option<String>), redis::ParsingError> = read();
                let (stored, took) = read.map_err(QueueError::store)?;
                runners.extend(slot(&pool, entry, stored, took.as_deref()));
            }
        }
        Ok(runners)
    }
}

/// A slot, by its entry: that of a job, or of a runner that `took` another job than its own, or waits for one. None if it has
/// just been freed.
fn slot(pool: &PoolName, entry: &str, stored: Stored, took: Option<&str>) -> Option<RunnerSlot> {
    let [state, runner, scope, worker, busy] = stored;
    let state: JobState = state?.parse().ok()?;
    let job: Option<JobId> = if entry.contains('~') { took?.parse().ok() } else { entry.parse().ok() };
    Some(RunnerSlot {
        name: runner.and_then(|name| name.parse().ok()),
        pool: pool.clone(),
        scope: scope.and_then(|scope| scope.parse().ok()),
        worker: worker.and_then(|worker| worker.parse().ok()),
        state,
        busy: busy.is_some(),
        job: job.filter(|job| !job.is_warm()),
    })
}
