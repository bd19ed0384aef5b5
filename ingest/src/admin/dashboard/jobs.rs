//! `/jobs`: jobs with their states, and why each is where it is.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Query},
};
use askama::Template;
use serde::Deserialize;
use shared::{
    model::{JobId, JobState},
    queue::{JobFilter, JobRecord},
};
use time::OffsetDateTime;

use super::{
    Dashboard,
    alerts::alerts,
    answer::{self, Frame},
    words,
};

/// How many jobs are on a page.
pub(super) const JOBS_MAX: usize = 50;

/// How much of a reason is shown in the list.
const REASON_CHARS: usize = 240;

/// What may be chosen: the word in the address, the words on the page, and the states that are meant.
const CHOICES: [(&str, &str, &[JobState]); 7] = [
    ("", "any", &[]),
    ("waiting", "waiting", &[JobState::Pending, JobState::Delayed]),
    ("running", "running or starting", &[JobState::Starting, JobState::Running, JobState::Orphaned]),
    ("dead", "dead letters", &[JobState::Dead]),
    ("done", "done", &[JobState::Done]),
    ("cancelled", "cancelled", &[JobState::Cancelled]),
    ("unmatched", "matched by no pool", &[JobState::Unmatched]),
];

/// What is asked for, as the form sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    pool: String,
    scope: String,
    text: String,
    /// Where the list goes on.
    from: String,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs {
    frame: Frame,
    asked: Asked,
    choices: Vec<Choice>,
    pools: Vec<Choice>,
    rows: Vec<JobRow>,
    /// Where the list goes on.
    more: Option<String>,
}

/// Something that may be chosen.
struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

/// A job, as it is shown in a list.
pub(super) struct JobRow {
    pub(super) id: JobId,
    pub(super) title: String,
    pub(super) state: JobState,
    pub(super) sign: &'static str,
    pub(super) pool: String,
    pub(super) from: String,
    pub(super) labels: String,
    pub(super) reason: String,
    /// For how long it waits or runs, or how long ago it ended.
    pub(super) time: String,
}

/// `GET /jobs`
pub(super) async fn page(dashboard: Data<Dashboard>, asked: Query<Asked>) -> HttpResponse {
    let asked = asked.into_inner();
    let (filter, from) = match parsed(&asked) {
        Ok(parsed) => parsed,
        Err(why) => return answer::wrong(StatusCode::BAD_REQUEST, why),
    };
    let reading = match dashboard.readings.now().await {
        Ok(reading) => reading,
        Err(why) => return answer::away(why),
    };
    let found = match answer::read(&dashboard.access, async |queue| queue.find(&filter, from, JOBS_MAX).await).await {
        Ok(found) => found,
        Err(why) => return answer::away(why),
    };
    let now = OffsetDateTime::now_utc();
    let shown = words::count(found.jobs.len() as u64, "job is shown", "jobs are shown");
    let mut pools = vec![Choice { value: String::new(), text: "any".to_owned(), chosen: asked.pool.is_empty() }];
    pools.extend(reading.status.pools.iter().map(|pool| {
        let name = pool.name.to_string();
        Choice { value: name.clone(), chosen: asked.pool == name, text: name }
    }));
    answer::page(&Jobs {
        frame: Frame { title: "Jobs".to_owned(), section: "jobs", alerts: alerts(&reading), summary: shown, every: 3 },
        choices: CHOICES
            .map(|(value, text, _)| Choice {
                value: value.to_owned(),
                text: text.to_owned(),
                chosen: asked.state == value,
            })
            .into(),
        pools,
        rows: found.jobs.iter().map(|job| job_row(job, now)).collect(),
        more: found.more.map(|mark| address(&asked, &mark.to_string())),
        asked,
    })
}

/// What is asked for, or what is wrong with it.
fn parsed(asked: &Asked) -> Result<(JobFilter, Option<shared::queue::JobsMark>), String> {
    let states = match CHOICES.iter().find(|(word, ..)| *word == asked.state) {
        Some((.., states)) => states.to_vec(),
        None => vec![asked.state.parse().map_err(|error: shared::model::Invalid| error.to_string())?],
    };
    let pool = given(&asked.pool).map(|name| name.parse()).transpose();
    let pool = pool.map_err(|error: shared::model::Invalid| error.to_string())?;
    let from = given(&asked.from).map(|text| text.parse()).transpose();
    let from = from.map_err(|()| "The address of this part of the list is incomplete.".to_owned())?;
    let filter =
        JobFilter { states, pool, scope: given(&asked.scope), text: given(&asked.text), ..JobFilter::default() };
    Ok((filter, from))
}

/// A text, unless it is empty.
pub(super) fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The address of another part of the list.
fn address(asked: &Asked, from: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let Asked { state, pool, scope, text, .. } = asked;
    for (name, value) in [("state", state), ("pool", pool), ("scope", scope), ("text", text)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    format!("/jobs?{}", query.append_pair("from", from).finish())
}

/// A job, as it is shown in a list.
pub(super) fn job_row(job: &JobRecord, now: OffsetDateTime) -> JobRow {
    let names: Vec<&str> = [job.workflow.as_deref(), job.name.as_deref()].into_iter().flatten().collect();
    let time = match (job.state, job.ended_at) {
        (JobState::Done | JobState::Cancelled | JobState::Dead, ended) => format!("{} ago", words::ago(ended, now)),
        (JobState::Unmatched, _) => format!("{} ago", words::ago(job.enqueued_at, now)),
        (JobState::Pending | JobState::Delayed, _) => words::ago(words::waits_since(&job.events, job.enqueued_at), now),
        _ => words::ago(job.events.last().map(|event| event.at), now),
    };
    let reason = job.error.as_deref().filter(|_| job.state == JobState::Dead).unwrap_or(&job.reason);
    let from = job.repository.as_ref().map(ToString::to_string).or_else(|| job.scope.as_ref().map(ToString::to_string));
    JobRow {
        id: job.id,
        title: words::cut(&names.join(" / "), 120),
        state: job.state,
        sign: words::sign(job.state),
        pool: job.pool.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string),
        from: from.unwrap_or_else(|| "–".to_owned()),
        labels: words::cut(&job.labels.to_string(), 200),
        reason: words::cut(reason, REASON_CHARS),
        time,
    }
}
