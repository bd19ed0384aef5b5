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
use crate::admin::csrf::Csrf;

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
    /// How many have just been replayed, or dropped.
    replayed: Option<u64>,
    dropped: Option<u64>,
}

#[derive(Template)]
#[template(path = "dead.html")]
struct Dead {
    frame: Frame,
    which: Which,
    /// What has just been done.
    done: Option<String>,
    /// What proves that a form is this page's.
    token: String,
    rows: Vec<JobRow>,
    /// How many there are, whether they are meant or not.
    all: u64,
    more: Option<String>,
}

/// `GET /dead`
pub(super) async fn page(dashboard: Data<Dashboard>, csrf: Data<Csrf>, asked: Query<Asked>) -> HttpResponse {
    let Asked { which, from, replayed, dropped } = asked.into_inner();
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
    let found = match answer::read(&dashboard.access, async |queue| queue.find(&filter, from, JOBS_MAX).await).await {
        Ok(found) => found,
        Err(why) => return answer::away(why),
    };
    let now = OffsetDateTime::now_utc();
    let all: u64 = reading.status.pools.iter().map(|pool| pool.dead).sum();
    let summary = words::count(all, "dead letter", "dead letters");
    let frame =
        Frame { title: "Dead letters".to_owned(), section: "dead", alerts: alerts(&reading), summary, every: 5 };
    let more = found.more.map(|mark| which.address(&[("from", &mark.to_string())]));
    let rows = found.jobs.iter().map(|job| job_row(job, now)).collect();
    let done =
        [(replayed, "replayed"), (dropped, "dropped")].into_iter().find_map(|(many, word)| Some(done(many?, word)));
    answer::page(&Dead { frame, which, done, token: csrf.token(), rows, all, more })
}

fn parsed(which: &Which, from: &str) -> Result<(Option<Scope>, Option<JobsMark>), String> {
    let scope = given(&which.scope).map(|text| text.parse()).transpose();
    let scope = scope.map_err(|error: shared::model::Invalid| error.to_string())?;
    let from = given(from).map(|text| text.parse()).transpose();
    Ok((scope, from.map_err(|()| "The address of this part of the list is incomplete.".to_owned())?))
}

/// What is said of dead letters that were changed.
fn done(many: u64, word: &str) -> String {
    match many {
        0 => format!("No dead letter was {word}: none was ticked, or what was is none any more."),
        many => format!("{} {word}.", words::count(many, "dead letter was", "dead letters were")),
    }
}

impl Which {
    /// The address of the list of these, or of a part of it, with what there is to say besides.
    pub(super) fn address(&self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("error", self.error.as_str()), ("scope", &self.scope)].iter().chain(more) {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("/dead?{}", query.finish())
    }
}
