//! Why a job is where it is, in words. Pure.

use std::fmt;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use super::{Event, JobRecord, What};
use crate::model::{JobId, JobState, PoolName, Scope, WorkerName};

/// Why a job is where it is, as a word for programs. The words are the contract's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It never came, or it ended so long ago that nothing is known of it any more.
    UnknownJob,
    /// No pool covers its labels.
    NoMatchingPool,
    /// The pool that covers its labels does not serve its repository.
    ScopeNotAllowed,
    /// All slots of its pool are taken.
    PoolFull,
    /// All slots that its scope has in its pool are taken.
    ScopeFull,
    /// No worker is there that serves its pool and can start a runner, or none of them could: the pool is stopped.
    NoWorker,
    /// GitHub's limits let nothing start for a while.
    RateLimited,
    /// It waits for its next attempt.
    Retrying,
    /// Its worker fell silent.
    WorkerLost,
    /// Its runner is being prepared.
    Starting,
    /// Its runner is up and waits for GitHub to give it a job.
    Listening,
    /// GitHub gave its runner another job, so it waits for another one.
    TakenByOtherRunner,
    /// A runner works on it.
    Running,
    /// It is a dead letter.
    Dead,
    /// It has ended.
    Done,
    /// It was cancelled.
    Cancelled,
    /// Nothing keeps it but the others before it.
    WaitingTurn,
}

/// The answer to why a job is where it is. Its JSON is the contract's.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// GitHub's id of the job.
    pub id: JobId,
    /// Its state; none of one that is not known.
    pub state: Option<JobState>,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub text: String,
    /// What happened to it, oldest first.
    pub events: Vec<Event>,
}

/// What stands between a pending job and its runner.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Why its pool is stopped.
    pub(super) stopped: Option<String>,
    /// Why nothing of its pool is started for a while, and until when.
    pub(super) paused: Option<(String, Option<OffsetDateTime>)>,
    /// How many slots of its pool are taken, and how many there are; none while no worker has said so.
    pub(super) pool: (u32, Option<u32>),
    /// The same for its scope.
    pub(super) scope: (u32, Option<u32>),
    /// Some of those that have the pool's slots.
    pub(super) holders: Vec<JobId>,
    /// How many jobs of its scope are before it.
    pub(super) ahead: u64,
    /// How many scopes take turns in its pool.
    pub(super) scopes: u64,
    /// The workers that serve its pool and are there, with what keeps each from starting a runner.
    pub(super) workers: Vec<(WorkerName, Option<String>)>,
}

/// What a pending job waits for: for programs, and for people in a list.
pub(super) fn pending(pool: &PoolName, scope: &Scope, place: &Place) -> (Reason, String) {
    let problem = |(name, problem): &(WorkerName, Option<String>)| {
        problem.as_ref().map(|problem| format!("{name} cannot start a runner: {problem}"))
    };
    if let Some(why) = &place.stopped {
        return (Reason::NoWorker, format!("pool {pool} is stopped: {why}"));
    }
    match (&place.paused, place.pool, place.scope) {
        (Some((reason, until)), ..) => {
            let until = until.map(moment).unwrap_or_default();
            (Reason::RateLimited, format!("waiting until {until}: {reason}"))
        }
        (_, (_, None), _) => (Reason::NoWorker, "waiting for a worker: none has served this pool yet".to_owned()),
        (_, (taken, Some(limit)), _) if taken >= limit => {
            (Reason::PoolFull, format!("waiting for a slot: pool {pool} has {taken} of {limit} runners"))
        }
        (_, _, (taken, Some(limit))) if taken >= limit => (
            Reason::ScopeFull,
            format!("waiting for a slot: {scope} has {taken} of its {limit} runners in pool {pool}"),
        ),
        _ => match place.workers.iter().map(problem).collect::<Option<Vec<String>>>() {
            None => (Reason::WaitingTurn, "waiting for its turn, or for a worker with a free slot".to_owned()),
            Some(problems) if problems.is_empty() => {
                (Reason::NoWorker, format!("waiting for a worker: none that serves pool {pool} is there"))
            }
            Some(problems) => (Reason::NoWorker, format!("waiting for a worker: {}", problems.join("; "))),
        },
    }
}

/// What is known of a job besides its record.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// What stands between it and its runner, if it is pending.
    pub(super) place: Place,
    /// When it is due, if it is delayed.
    pub(super) due: Option<OffsetDateTime>,
    /// Why no pool takes it, by the contract's word, if none does.
    pub(super) unmatched: Option<String>,
    /// The runner of another job that took it, if one did.
    pub(super) served_by: Option<String>,
    /// So many failed attempts make a dead letter.
    pub(super) attempts_max: u32,
}

/// Says why a job is where it is.
pub(super) fn explain(job: &JobRecord, facts: &Facts) -> (Reason, String) {
    match job.state {
        JobState::Pending => waits(job, &facts.place),
        JobState::Delayed => delayed(job, facts),
        JobState::Starting => (Reason::Starting, starting(job)),
        JobState::Running => runs(job),
        JobState::Orphaned => {
            let text = format!(
                "Its runner {} was up when its worker fell silent: {}. It goes on once that worker, or another one on its engine, is \
                 back: start one under that name.",
                or_unknown(job.runner.as_ref()),
                detail(job, What::WorkerLost),
            );
            (Reason::WorkerLost, text)
        }
        JobState::Dead => {
            let error = job.error.as_deref().unwrap_or("it is not known why");
            let text = format!(
                "It was given up, and gets no runner until somebody acts: {error}. Once that is mended: worker dead replay {id}. If \
                 nobody wants it any more: worker dead drop {id}.",
                id = job.id
            );
            (Reason::Dead, text)
        }
        JobState::Done => match &facts.served_by {
            Some(runner) => {
                (Reason::Done, format!("It ran on the runner {runner}, which was started for another job."))
            }
            None => (Reason::Done, format!("It has ended: {}.", detail(job, What::Done))),
        },
        JobState::Cancelled => {
            let why = [What::Dropped, What::Cancelled].map(|what| detail(job, what));
            let why = why.into_iter().find(|why| !why.is_empty()).unwrap_or("it was cancelled");
            (Reason::Cancelled, format!("It gets no runner: {why}."))
        }
        JobState::Unmatched => {
            let not_allowed = facts.unmatched.as_deref() == Some("scope_not_allowed");
            let text = format!(
                "It gets no runner: {}. Correct runs-on in the workflow, or pools.toml; then have GitHub deliver it again.",
                detail(job, What::Unmatched)
            );
            (if not_allowed { Reason::ScopeNotAllowed } else { Reason::NoMatchingPool }, text)
        }
    }
}

/// What is said besides of a job that never came, where deliveries were refused for their signature.
pub(super) fn refused(deliveries: u64, last: OffsetDateTime) -> String {
    format!(
        " Of late {deliveries} deliveries were refused because their signature was missing or wrong, the last at {}: is the webhook's \
         secret AUTOSCALER_SECRET_TOKEN?",
        moment(last)
    )
}

/// What a pending job waits for, with who is before it.
fn waits(job: &JobRecord, place: &Place) -> (Reason, String) {
    let (Some(pool), Some(scope)) = (&job.pool, &job.scope) else { return (Reason::WaitingTurn, job.reason.clone()) };
    let (mut reason, short) = pending(pool, scope, place);
    let mut sentences = Vec::new();
    let turns = [What::Delivered, What::Reserved, What::Reopened, What::Replayed, What::Retrying];
    if happened_last(job, &turns) == Some(What::Reopened) {
        sentences.push(format!("GitHub gave its runner to another job: {}.", detail(job, What::Reopened)));
        if reason == Reason::WaitingTurn {
            reason = Reason::TakenByOtherRunner;
        }
    }
    sentences.push(if place.stopped.is_some() { format!("Its {short}.") } else { format!("It is {short}.") });
    if matches!(reason, Reason::PoolFull | Reason::ScopeFull) && !place.holders.is_empty() {
        let holders: Vec<String> = place.holders.iter().map(ToString::to_string).collect();
        sentences.push(format!("The pool's runners are up for the jobs {}.", holders.join(", ")));
    }
    if matches!(reason, Reason::PoolFull | Reason::ScopeFull | Reason::WaitingTurn | Reason::TakenByOtherRunner) {
        sentences.push(match place.ahead {
            0 => format!("It is the next of {scope}."),
            1 => format!("1 job of {scope} is before it."),
            number => format!("{number} jobs of {scope} are before it."),
        });
        if place.scopes > 1 {
            sentences.push(format!("{} repositories or organizations take turns.", place.scopes));
        }
    }
    (reason, sentences.join(" "))
}

fn delayed(job: &JobRecord, facts: &Facts) -> (Reason, String) {
    let last = happened_last(job, &[What::Retrying, What::Waiting, What::RateLimited]);
    if let Some(what @ (What::Waiting | What::RateLimited)) = last {
        let reason = if what == What::RateLimited { Reason::RateLimited } else { Reason::Retrying };
        return (reason, format!("It waits {}. No attempt is charged for that.", detail(job, what)));
    }
    let due = facts.due.map_or_else(|| "soon".to_owned(), moment);
    let error = job.error.as_deref().unwrap_or("an attempt failed");
    let next = job.attempts + 1;
    (Reason::Retrying, format!("Attempt {next} of {} follows at {due}, after: {error}.", facts.attempts_max))
}

fn runs(job: &JobRecord) -> (Reason, String) {
    let runner = or_unknown(job.runner.as_ref());
    match happened_last(job, &[What::Running, What::Listening]) {
        Some(What::Running) => {
            let text = format!("It runs on {runner} of worker {}.", or_unknown(job.worker.as_ref()));
            (Reason::Running, text)
        }
        Some(_) => {
            let since = job.events.iter().rfind(|event| event.what == What::Listening.as_str());
            let since = since.map(|event| moment(event.at)).unwrap_or_default();
            let text = format!(
                "Its runner {runner} listens since {since}, and GitHub has given it no job yet. GitHub does so within seconds: if this \
                 lasts, does its runner group allow the repository?"
            );
            (Reason::Listening, text)
        }
        None => (Reason::Starting, starting(job)),
    }
}

fn starting(job: &JobRecord) -> String {
    let done = happened_last(job, &[What::Reserved, What::Registered, What::Created, What::Started]);
    let next = match done {
        Some(What::Started) => "its container is started, and its runner has not said yet that it listens",
        Some(What::Created) => "its container is created and is being started",
        Some(What::Registered) => "it is registered at GitHub, and its container is being created",
        _ => "it is being registered at GitHub",
    };
    format!("Worker {} prepares its runner: {next}.", or_unknown(job.worker.as_ref()))
}

/// Which of these happened last.
fn happened_last(job: &JobRecord, of: &[What]) -> Option<What> {
    job.events.iter().rev().find_map(|event| of.iter().copied().find(|what| event.what == what.as_str()))
}

/// What was said the last time that this happened; nothing, if it did not.
fn detail(job: &JobRecord, what: What) -> &str {
    job.events.iter().rfind(|event| event.what == what.as_str()).map_or("", |event| &event.detail)
}

fn or_unknown(name: Option<&impl fmt::Display>) -> String {
    name.map_or_else(|| "(unknown)".to_owned(), ToString::to_string)
}

/// A moment, to the second, in UTC.
fn moment(at: OffsetDateTime) -> String {
    at.truncate_to_second().format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
