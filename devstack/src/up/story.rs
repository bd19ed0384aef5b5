//! The way of one job, line by line.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, bail};
use shared::{
    model::{JobId, JobState},
    queue::{Event, JobRecord},
};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::{say::say, stack::Stack};

/// How long the first job may take to have a runner; how long it then runs is its own affair.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often its record is read.
const LOOK: Duration = Duration::from_millis(50);

/// How long an event is held back: ingest and worker write to the record, and one may have an earlier word for it.
const HOLD: Duration = Duration::from_millis(300);

/// Prints each event of the job's record with its time since the first, until the job has ended and its runner is gone.
/// Returns its state. Cancel-safe.
pub(super) async fn tell(stack: &mut Stack, job: u64) -> anyhow::Result<JobState> {
    let id: JobId = job.to_string().parse()?;
    let deadline = Instant::now() + PATIENCE;
    let mut told = BTreeSet::new();
    loop {
        stack.check()?;
        let queue = &stack.shown().context("there is no stand-in")?.queue;
        let record = queue.job(id).await?;
        if let Some(record) = &record {
            let over =
                matches!(record.state, JobState::Done | JobState::Dead | JobState::Cancelled | JobState::Unmatched);
            let over = over && stack.containers().list().await?.is_empty();
            let until = OffsetDateTime::now_utc() - if over { Duration::ZERO } else { HOLD };
            for (index, event) in news(record, &told, until) {
                say(line(record, event));
                told.insert(index);
            }
            if over {
                say(summary(record));
                return Ok(record.state);
            }
        }
        let begun = record.is_some_and(|record| happened(&record, "started").is_some());
        if !begun && Instant::now() > deadline {
            bail!("job {id} has no runner after {PATIENCE:?}");
        }
        sleep(LOOK).await;
    }
}

/// Tells of each job that is queued at the stand-in behind the first, one after the other, for as long as all parts run.
pub(super) async fn tell_all(stack: &mut Stack, first: u64) -> anyhow::Result<()> {
    let mut last = first;
    loop {
        stack.check()?;
        let jobs = stack.shown().map(|shown| shown.stand_in.jobs()).unwrap_or_default();
        let next = jobs.into_iter().map(|job| job.id).filter(|job| *job > last).min();
        if let Some(job) = next {
            say(format_args!("\nJob {job}"));
            tell(stack, job).await?;
            last = job;
        }
        sleep(LOOK).await;
    }
}

/// The events that are to be told, in the order in which they happened, by their places in the record.
fn news<'a>(record: &'a JobRecord, told: &BTreeSet<usize>, until: OffsetDateTime) -> Vec<(usize, &'a Event)> {
    let is_news = |(index, event): &(usize, &Event)| !told.contains(index) && event.at <= until;
    let mut news: Vec<_> = record.events.iter().enumerate().filter(is_news).collect();
    news.sort_by_key(|(_, event)| event.at);
    news
}

fn line(record: &JobRecord, event: &Event) -> String {
    let (since, detail) = (since_delivery(record, event), &event.detail);
    let text = match meaning(&event.what) {
        Some(meaning) if detail.is_empty() => meaning.to_owned(),
        Some(meaning) => format!("{meaning} ({detail})"),
        None => detail.clone(),
    };
    format!("{since:9.3} s  {:<11} {text}", event.what)
}

/// What an event is, to somebody who sees it for the first time; those that are missing speak for themselves.
fn meaning(what: &str) -> Option<&'static str> {
    Some(match what {
        "delivered" => "ingest has checked GitHub's webhook and stored the job in the queue",
        "reserved" => "a worker has taken the job from the queue",
        "registered" => "GitHub knows a runner for it",
        "created" => "the runner's container is there",
        "started" => "the container is started",
        "listening" => "the runner waits for a job",
        "running" => "the runner has the job",
        "exited" => "the runner has ended",
        "removed" => "the container is removed",
        _ => return None,
    })
}

/// The times that count.
fn summary(record: &JobRecord) -> String {
    let at = |what| happened(record, what).map(|event| since_delivery(record, event));
    match (at("started"), at("running"), at("exited"), at("removed")) {
        (Some(started), Some(running), Some(exited), Some(removed)) => format!(
            "\nIts runner was started {started:.3} s after the delivery, had the job at {running:.3} s, ended at \
             {exited:.3} s and was gone at {removed:.3} s."
        ),
        _ => format!("\nThe job is {}: {}", record.state, record.reason),
    }
}

fn happened<'a>(record: &'a JobRecord, what: &str) -> Option<&'a Event> {
    record.events.iter().find(|event| event.what == what)
}

fn since_delivery(record: &JobRecord, event: &Event) -> f64 {
    record.events.first().map_or(0.0, |first| (event.at - first.at).as_seconds_f64())
}
