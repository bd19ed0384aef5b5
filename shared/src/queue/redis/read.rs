//! What people and programs are shown of the queue.

use std::{collections::HashMap, time::Duration};

use redis::{cmd, pipe};
use time::OffsetDateTime;

use super::{RedisQueue, keys, script, worker::Announced};
use crate::{
    model::{JobId, JobMessage, JobState, PoolName, WorkerName},
    queue::{Event, JobRecord, QueueError},
    status::{PoolStatus, Status, WorkerStatus},
};

/// A worker that was silent for so long is not shown any more.
const WORKER_MEMORY: Duration = Duration::from_hours(24);

/// The pool's limit and leases, the scope's limit and leases, why the pool is paused and for how many ms.
type Facts = (Option<u64>, u64, Option<u64>, u64, Option<String>, i64);

/// The hash of a job, and the list of its events.
type Stored = (HashMap<String, String>, Vec<String>);

impl RedisQueue {
    /// Everything that is known of a job; `None` if it is not known at all, or no longer.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn job(&self, job: JobId) -> Result<Option<JobRecord>, QueueError> {
        for pool in self.pools().await? {
            if let Some(stored) = self.stored(&keys::prefix(&pool), job).await? {
                let mut record = record(job, Some(pool.clone()), stored);
                if record.state == JobState::Pending {
                    record.reason = self.why_pending(&pool, &record).await?;
                }
                return Ok(Some(record));
            }
        }
        let unmatched = self.stored(keys::UNMATCHED, job).await?;
        Ok(unmatched.map(|stored| record(job, None, stored)))
    }

    async fn stored(&self, prefix: &str, job: JobId) -> Result<Option<Stored>, QueueError> {
        let mut commands = pipe();
        commands.hgetall(keys::job(prefix, job)).lrange(keys::events(prefix, job), 0, -1);
        let stored: Stored = self.commands.pipeline(&commands).await?;
        Ok(stored.0.contains_key("state").then_some(stored))
    }

    /// What a pending job waits for.
    async fn why_pending(&self, pool: &PoolName, record: &JobRecord) -> Result<String, QueueError> {
        let prefix = keys::prefix(pool);
        let scope = record.scope.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut commands = pipe();
        commands
            .hget(format!("{prefix}limits"), "pool")
            .zcard(format!("{prefix}lease"))
            .hget(format!("{prefix}limits"), "scope")
            .scard(format!("{prefix}active:{scope}"))
            .get(format!("{prefix}paused"))
            .pttl(format!("{prefix}paused"));
        let (limit, leased, scope_limit, active, paused, left): Facts = self.commands.pipeline(&commands).await?;
        let limit = limit.unwrap_or(0);
        let scope_limit = scope_limit.unwrap_or(0);
        Ok(match paused {
            Some(reason) => format!("waiting for another {} s: {reason}", left.max(0) / 1000),
            None if limit == 0 => "waiting for a worker: none has served this pool yet".to_owned(),
            None if leased >= limit => format!("waiting for a slot: pool {pool} has {leased} of {limit} runners"),
            None if scope_limit > 0 && active >= scope_limit => {
                format!("waiting for a slot: {scope} has {active} of its {scope_limit} runners in pool {pool}")
            }
            None => self.what_workers_lack(pool).await?,
        })
    }

    /// What a job waits for that its pool's limits would let start.
    async fn what_workers_lack(&self, pool: &PoolName) -> Result<String, QueueError> {
        let now = self.time().await?;
        let mut workers = self.announced().await?;
        workers
            .retain(|(_, worker)| worker.said.pools.contains(pool) && now.saturating_sub(worker.at) < self.lease_ms());
        let problem = |(name, worker): &(WorkerName, Announced)| {
            worker.said.problem.as_ref().map(|problem| format!("{name} cannot start a runner: {problem}"))
        };
        Ok(match workers.iter().map(problem).collect::<Option<Vec<String>>>() {
            None => "waiting for its turn, or for a worker with a free slot".to_owned(),
            Some(problems) if problems.is_empty() => {
                format!("waiting for a worker: none that serves pool {pool} is there")
            }
            Some(problems) => format!("waiting for a worker: {}", problems.join("; ")),
        })
    }

    /// What workers last said of themselves, by name. What cannot be read is left out.
    async fn announced(&self) -> Result<Vec<(WorkerName, Announced)>, QueueError> {
        let workers: HashMap<String, String> = self.commands.query(cmd("HGETALL").arg(keys::WORKERS)).await?;
        let read = |(name, text): (String, String)| Some((name.parse().ok()?, serde_json::from_str(&text).ok()?));
        let mut workers: Vec<(WorkerName, Announced)> = workers.into_iter().filter_map(read).collect();
        workers.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(workers)
    }

    /// How many jobs are in which state, and which workers are there.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn status(&self) -> Result<Status, QueueError> {
        let mut status = Status::default();
        for name in self.pools().await? {
            let counts: [u64; 8] = self.commands.script(&script::COUNT.key(keys::prefix(&name))).await?;
            let [limit, pending, delayed, starting, running, orphaned, dead, oldest_ms] = counts;
            let oldest_seconds = oldest_ms / 1000;
            status.pools.push(PoolStatus {
                name,
                limit,
                pending,
                delayed,
                starting,
                running,
                orphaned,
                dead,
                oldest_seconds,
            });
        }
        let now = self.time().await?;
        for (name, Announced { at, said }) in self.announced().await? {
            let seen_seconds = now.saturating_sub(at) / 1000;
            if seen_seconds < WORKER_MEMORY.as_secs() {
                let (capacity, runners) = (said.capacity, said.runners);
                status.workers.push(WorkerStatus { name, capacity, runners, seen_seconds });
            }
        }
        Ok(status)
    }
}

/// Makes a record of what is stored. What cannot be read is left out rather than hiding the rest.
fn record(id: JobId, pool: Option<PoolName>, (fields, events): Stored) -> JobRecord {
    let text = |name: &str| fields.get(name).filter(|text| !text.is_empty()).cloned();
    let number = |name: &str| text(name).and_then(|text| text.parse().ok());
    let at = |name: &str| text(name).and_then(|ms| moment(ms.parse().ok()?));
    let message: Option<JobMessage> = text("msg").and_then(|text| serde_json::from_str(&text).ok());
    let events: Vec<Event> = events.iter().filter_map(|line| event(line)).collect();
    let labels = match &message {
        Some(message) => message.labels.clone(),
        None => text("labels").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    };
    JobRecord {
        id,
        state: text("state").and_then(|text| text.parse().ok()).unwrap_or(JobState::Unmatched),
        reason: events.last().map(|event| format!("{}: {}", event.what, event.detail)).unwrap_or_default(),
        pool,
        scope: message.as_ref().map(|message| message.scope.clone()),
        repository: message
            .map(|message| message.repository)
            .or_else(|| text("repo").and_then(|text| text.parse().ok())),
        labels,
        attempts: number("attempts").unwrap_or(0),
        replays: number("replays").unwrap_or(0),
        error: text("err"),
        runner: text("runner").and_then(|text| text.parse().ok()),
        worker: text("worker").and_then(|text| text.parse().ok()),
        enqueued_at: at("enq"),
        ended_at: at("end"),
        events,
    }
}

/// Reads an event as `scripts/lib.lua` writes it: milliseconds, word and detail, separated by spaces.
fn event(line: &str) -> Option<Event> {
    let mut parts = line.splitn(3, ' ');
    let at = moment(parts.next()?.parse().ok()?)?;
    Some(Event { at, what: parts.next()?.to_owned(), detail: parts.next().unwrap_or_default().to_owned() })
}

/// A time of the store's clock.
fn moment(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}
