//! `/dead`: dead letters.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Query},
};
use askama::Template;
use serde::Deserialize;
use shared::{
    model::{JobState, Scope},
    queue::{JobFilter, JobsMark},
};
use time::OffsetDateTime;

use super::{
    Dashboard,
    alerts::alerts,
    answer::{self, Frame},
    jobs::{JOBS_MAX, JobRow, given, job_row},
    words,
};

/// Which dead letters are asked for, as the form sends it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    /// A part of the error.
    pub(super) error: String,
    /// A scope.
    pub(super) scope: String,
}

/// The part of the list that is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(flatten)]
    which: Which,
    /// Where it goes on.
    from: String,
}

#[derive(Template)]
#[template(path = "dead.html")]
struct Dead {
    frame: Frame,
    which: Which,
    rows: Vec<JobRow>,
    /// How many there are, whether they are meant or not.
    all: u64,
    more: Option<String>,
}

/// `GET /dead`
pub(super) async fn page(dashboard: Data<Dashboard>, asked: Query<Asked>) -> HttpResponse {
    let Asked { which, from } = asked.into_inner();
    let (scope, from) = match parsed(&which, &from) {
        Ok(parsed) => parsed,
        Err(why) => return answer::wrong(StatusCode::BAD_REQUEST, why),
    };
    let reading = match dashboard.readings.now().await {
        Ok(reading) => reading,
        Err(why) => return answer::away(why),
    };
    let filter =
        JobFilter { states: vec![JobState::Dead], error: given(&which.error), of_scope: scope, ..JobFilter::default() };
    let found = match answer::read(dashboard.queue.find(&filter, from, JOBS_MAX)).await {
        Ok(found) => found,
        Err(why) => return answer::away(why),
    };
    let now = OffsetDateTime::now_utc();
    let all: u64 = reading.status.pools.iter().map(|pool| pool.dead).sum();
    let summary = words::count(all, "dead letter", "dead letters");
    let frame =
        Frame { title: "Dead letters".to_owned(), section: "dead", alerts: alerts(&reading), summary, every: 5 };
    let more = found.more.map(|mark| address(&which, &mark.to_string()));
    let rows = found.jobs.iter().map(|job| job_row(job, now)).collect();
    answer::page(&Dead { frame, which, rows, all, more })
}

fn parsed(which: &Which, from: &str) -> Result<(Option<Scope>, Option<JobsMark>), String> {
    let scope = given(&which.scope).map(|text| text.parse()).transpose();
    let scope = scope.map_err(|error: shared::model::Invalid| error.to_string())?;
    let from = given(from).map(|text| text.parse()).transpose();
    Ok((scope, from.map_err(|()| "The address of this part of the list is incomplete.".to_owned())?))
}

/// The address of a part of the list.
fn address(which: &Which, from: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("error", which.error.as_str()), ("scope", &which.scope), ("from", from)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    format!("/dead?{}", query.finish())
}
