//! What people and programs are shown of the queue.

use std::{collections::HashMap, time::Duration};

use redis::{cmd, pipe};
use time::OffsetDateTime;

use super::{
    Queue, keys, script,
    worker::{Announced, Announcement},
};
use crate::{
    model::{JobId, JobMessage, JobState, PoolName, WorkerName},
    queue::{Event, JobRecord, PostMortem, QueueError, What},
    status::{PoolStatus, Status, WorkerStatus},
};

/// A worker that was silent for so long is not shown any more.
const WORKER_MEMORY: Duration = Duration::from_hours(24);

/// The fields of a job's hash that make up its record in a list: how its runners ended may be long.
const FIELDS: [&str; 12] =
    ["state", "msg", "labels", "repo", "attempts", "replays", "err", "first_err", "runner", "worker", "enq", "end"];

/// Those of how its runners ended, the one that is shown in front.
const POST_MORTEMS: [&str; 2] = ["post_mortem:failed", "post_mortem:last"];

/// The fields of a job's hash.
type Fields = HashMap<String, String>;

impl Queue {
    /// Everything that is known of a job; `None` if it is not known at all, or no longer.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn job(&self, job: JobId) -> Result<Option<JobRecord>, QueueError> {
        for pool in self.pools().await? {
            let prefix = keys::prefix(&pool);
            if let Some(mut record) = self.records(&prefix, Some(&pool), &[job]).await?.pop() {
                record.post_mortem = self.post_mortem(&prefix, job).await?;
                if let (JobState::Pending, Some(scope)) = (record.state, &record.scope) {
                    record.reason = self.why_pending(&pool, std::slice::from_ref(scope)).await?.remove(0);
                }
                return Ok(Some(record));
            }
        }
        Ok(self.records(keys::UNMATCHED, None, &[job]).await?.pop())
    }

    /// The records of jobs in a pool; those that are gone are left out.
    pub(super) async fn records(
        &self,
        prefix: &str,
        pool: Option<&PoolName>,
        jobs: &[JobId],
    ) -> Result<Vec<JobRecord>, QueueError> {
        self.records_where(prefix, pool, jobs, |_| true).await
    }

    /// Those of them that are meant. What has happened to a job is no reason for it to be, for it is read only of those that are.
    pub(super) async fn records_where(
        &self,
        prefix: &str,
        pool: Option<&PoolName>,
        jobs: &[JobId],
        meant: impl Fn(&JobRecord) -> bool,
    ) -> Result<Vec<JobRecord>, QueueError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = pipe();
        for job in jobs {
            commands.cmd("HMGET").arg(keys::job(prefix, *job)).arg(&FIELDS);
        }
        let stored: Vec<Vec<Option<String>>> = self.store.pipeline(&commands).await?;
        let fields = stored.into_iter().map(|values| {
            let fields = FIELDS.into_iter().zip(values);
            fields.filter_map(|(field, value)| Some((field.to_owned(), value?))).collect::<Fields>()
        });
        let known = jobs.iter().zip(fields).filter(|(_, fields)| fields.contains_key("state"));
        let mut records: Vec<JobRecord> =
            known.map(|(job, fields)| record(*job, pool.cloned(), &fields)).filter(meant).collect();
        if !records.is_empty() {
            let mut commands = pipe();
            for record in &records {
                commands.lrange(keys::events(prefix, record.id), 0, -1);
            }
            let events: Vec<Vec<String>> = self.store.pipeline(&commands).await?;
            for (record, events) in records.iter_mut().zip(events) {
                record.events.extend(events.iter().filter_map(|line| event(line)));
                record.reason = reason(record.state, &record.events);
            }
        }
        Ok(records)
    }

    /// How a job's runners ended. What cannot be read is left out.
    async fn post_mortem(&self, prefix: &str, job: JobId) -> Result<Option<PostMortem>, QueueError> {
        let read = cmd("HMGET").arg(keys::job(prefix, job)).arg(&POST_MORTEMS).to_owned();
        let texts: Vec<Option<String>> = self.store.query(&read).await?;
        Ok(texts.into_iter().flatten().find_map(|text| serde_json::from_str(&text).ok()))
    }

    /// Takes workers off the list that have been silent for so long that they are not shown any more.
    pub(super) async fn forget_workers(&self) -> Result<(), QueueError> {
        let now = self.time().await?;
        for (name, worker) in self.announced().await? {
            if now.saturating_sub(worker.at) / 1000 >= WORKER_MEMORY.as_secs() {
                self.retire(&name).await?;
            }
        }
        Ok(())
    }

    /// What workers last said of themselves, by name. What cannot be read is left out.
    pub(super) async fn announced(&self) -> Result<Vec<(WorkerName, Announced)>, QueueError> {
        let workers: HashMap<String, String> = self.store.query(cmd("HGETALL").arg(keys::WORKERS)).await?;
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
            let counts: [u64; 9] = self.store.script(&script::COUNT.key(&keys::prefix(&name))).await?;
            let [limit, pending, delayed, starting, running, orphaned, dead, oldest_ms, warm] = counts;
            let oldest_seconds = oldest_ms / 1000;
            let mut held_up = pipe();
            held_up.hget(keys::stopped(&name), "why").get(keys::paused(&name));
            let (stopped, paused) = self.store.pipeline(&held_up).await?;
            status.pools.push(PoolStatus {
                name,
                limit,
                pending,
                delayed,
                starting,
                running,
                orphaned,
                dead,
                warm,
                oldest_seconds,
                stopped,
                paused,
            });
        }
        let now = self.time().await?;
        for (name, Announced { at, said }) in self.announced().await? {
            let seen_seconds = now.saturating_sub(at) / 1000;
            if seen_seconds < WORKER_MEMORY.as_secs() {
                let Announcement { capacity, runners, pools, problem } = said;
                status.workers.push(WorkerStatus { name, capacity, runners, pools, problem, seen_seconds });
            }
        }
        Ok(status)
    }
}

/// Makes a record of what is stored, but for what has happened since it was delivered. What cannot be read is left out rather than
/// hiding the rest.
fn record(id: JobId, pool: Option<PoolName>, fields: &Fields) -> JobRecord {
    let text = |name: &str| fields.get(name).filter(|text| !text.is_empty()).cloned();
    let number = |name: &str| text(name).and_then(|text| text.parse().ok());
    let at = |name: &str| text(name).and_then(|ms| moment(ms.parse().ok()?));
    let message: Option<JobMessage> = text("msg").and_then(|text| serde_json::from_str(&text).ok());
    let labels = match &message {
        Some(message) => message.labels.clone(),
        None => text("labels").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    };
    let state = text("state").and_then(|text| text.parse().ok()).unwrap_or(JobState::Unmatched);
    let came_in = fields.contains_key("msg") && !id.is_warm();
    let delivered = at("enq").filter(|_| came_in).map(|at| delivered(at, message.as_ref()));
    JobRecord {
        id,
        state,
        reason: String::new(),
        pool,
        scope: message.as_ref().map(|message| message.scope.clone()),
        name: message.as_ref().map(|message| message.name.clone()),
        workflow: message.as_ref().and_then(|message| message.workflow.clone()),
        html_url: message.as_ref().and_then(|message| message.html_url.clone()),
        repository: message
            .and_then(|message| message.repository)
            .or_else(|| text("repo").and_then(|text| text.parse().ok())),
        labels,
        attempts: number("attempts").unwrap_or(0),
        replays: number("replays").unwrap_or(0),
        error: text("err"),
        first_error: text("first_err"),
        runner: text("runner").and_then(|text| text.parse().ok()),
        worker: text("worker").and_then(|text| text.parse().ok()),
        enqueued_at: at("enq"),
        ended_at: at("end"),
        events: delivered.into_iter().collect(),
        post_mortem: None,
    }
}

/// How a record begins of a job that came in: that is not among the events that are stored, for its message says it.
fn delivered(at: OffsetDateTime, message: Option<&JobMessage>) -> Event {
    let detail = message.map_or_else(String::new, |message| format!("by {}", message.delivery));
    Event { at, what: What::Delivered.as_str().to_owned(), detail }
}

/// The last thing that happened to a job; of one that waits for its time, why and until when.
fn reason(state: JobState, events: &[Event]) -> String {
    let delays = |event: &&Event| {
        [What::Waiting, What::RateLimited, What::Retrying].iter().any(|what| event.what == what.as_str())
    };
    let delay = events.iter().rfind(delays).filter(|_| state == JobState::Delayed);
    delay.or(events.last()).map(|event| format!("{}: {}", event.what, event.detail)).unwrap_or_default()
}

/// Reads an event as `scripts/lib.lua` writes it: milliseconds, word and detail, separated by spaces.
fn event(line: &str) -> Option<Event> {
    let mut parts = line.splitn(3, ' ');
    let at = moment(parts.next()?.parse().ok()?)?;
    Some(Event { at, what: parts.next()?.to_owned(), detail: parts.next().unwrap_or_default().to_owned() })
}

/// A time of the store's clock.
pub(super) fn moment(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}
