//! `/jobs/{id}`: all that is known of a job, and why it is where it is.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use shared::{
    model::{JobId, JobState},
    queue::{Explanation, JobRecord, PostMortem, Queue},
};
use time::OffsetDateTime;

use super::{
    Dashboard,
    answer::{self, Frame},
    timeline::Timeline,
    words,
};

#[derive(Template)]
#[template(path = "job.html")]
struct Job {
    frame: Frame,
    explanation: Explanation,
    record: Option<Record>,
}

/// What is known of a job, as it is shown.
struct Record {
    title: String,
    state: JobState,
    sign: &'static str,
    /// What there is to say, by name.
    facts: Vec<(&'static str, String)>,
    /// Its page at GitHub.
    address: Option<String>,
    timeline: Option<Timeline>,
    events: Vec<EventRow>,
    post_mortem: Option<PostMortem>,
    /// What is to be said of how the runner ended, by name.
    ending: Vec<(&'static str, String)>,
}

/// Something that happened to a job, as it is shown.
struct EventRow {
    at: String,
    /// How long after the one before.
    after: String,
    what: String,
    detail: String,
}

/// `GET /jobs/{id}`
pub(super) async fn page(dashboard: Data<Dashboard>, id: Path<String>) -> HttpResponse {
    let id: JobId = match id.parse() {
        Ok(id) => id,
        Err(error) => return answer::wrong(StatusCode::NOT_FOUND, format!("{error}.")),
    };
    let read = async |queue: &Queue| Ok((queue.explain(id).await?, queue.job(id).await?));
    let (explanation, job) = match answer::read(&dashboard.access, read).await {
        Ok(read) => read,
        Err(why) => return answer::away(why),
    };
    let state = job.as_ref().map(|job| job.state);
    let is_under_way =
        state.is_some_and(|state| state.is_leased() || matches!(state, JobState::Pending | JobState::Delayed));
    let frame = Frame {
        title: format!("Job {id}"),
        section: "jobs",
        summary: format!("Job {id}: {}", state.map_or("not known", JobState::as_str)),
        every: if is_under_way { 1 } else { 10 },
        ..Frame::default()
    };
    let record = job.map(|job| Record::of(job, is_under_way, OffsetDateTime::now_utc()));
    answer::page(&Job { frame, explanation, record })
}

impl Record {
    fn of(job: JobRecord, is_under_way: bool, now: OffsetDateTime) -> Self {
        let text = |name: Option<String>| name.unwrap_or_default();
        let names: Vec<String> = [job.workflow.clone(), job.name.clone()].into_iter().flatten().collect();
        let attempts = if job.attempts == 0 { String::new() } else { job.attempts.to_string() };
        let replays = if job.replays == 0 { String::new() } else { job.replays.to_string() };
        let first_error = job.first_error.clone().filter(|first| job.error.as_ref() != Some(first));
        let mut facts = vec![
            ("Pool", text(job.pool.as_ref().map(ToString::to_string))),
            ("Repository", text(job.repository.as_ref().map(ToString::to_string))),
            ("Registers at", text(job.scope.as_ref().map(ToString::to_string))),
            ("Labels", job.labels.to_string()),
            ("Runner", text(job.runner.as_ref().map(ToString::to_string))),
            ("Worker", text(job.worker.as_ref().map(ToString::to_string))),
            ("Failed attempts", attempts),
            ("Replays", replays),
            ("Last error", text(job.error.clone())),
            ("First error", text(first_error)),
            ("Came", text(job.enqueued_at.map(words::moment))),
            ("Ended", text(job.ended_at.map(words::moment))),
        ];
        facts.retain(|(_, value)| !value.is_empty());
        let mut before = None;
        let events = job.events.iter().map(|event| {
            let after = before.replace(event.at).map(|before| event.at - before);
            let after = after.and_then(|after| std::time::Duration::try_from(after).ok()).map(words::duration);
            let (what, detail) = (event.what.replace('_', " "), event.detail.clone());
            EventRow { at: words::moment(event.at), after: text(after), what, detail }
        });
        Self {
            title: words::cut(&names.join(" / "), 200),
            state: job.state,
            sign: words::sign(job.state),
            facts,
            address: words::web_address(job.html_url.as_ref()),
            timeline: Timeline::of(&job.events, is_under_way.then_some(now)),
            events: events.collect(),
            ending: job.post_mortem.as_ref().map(ending).unwrap_or_default(),
            post_mortem: job.post_mortem,
        }
    }
}

/// How a runner ended, by name.
fn ending(post_mortem: &PostMortem) -> Vec<(&'static str, String)> {
    let mut ending = vec![
        ("Runner", post_mortem.runner.to_string()),
        ("Outcome", post_mortem.outcome.clone()),
        ("Exit code", post_mortem.exit_code.to_string()),
        ("Signal", post_mortem.signal.map(|signal| signal.to_string()).unwrap_or_default()),
        ("Out of memory", if post_mortem.oom { "yes".to_owned() } else { String::new() }),
        ("Was up for", post_mortem.seconds.map(words::seconds).unwrap_or_default()),
        ("Image", post_mortem.image.clone().unwrap_or_default()),
    ];
    ending.retain(|(_, value)| !value.is_empty());
    ending
}
