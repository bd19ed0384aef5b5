//! How pages are answered with.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;
use shared::{
    queue::{Queue, QueueError},
    telemetry::chain,
};
use tracing::error;

use super::alerts::Alert;
use crate::admin::Access;

/// What a page may load and do: what is on this listener, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What all pages have in common.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// The page's title.
    pub(super) title: String,
    /// The part of the dashboard that it belongs to, by the first part of its path.
    pub(super) section: &'static str,
    /// What is to be said in front.
    pub(super) alerts: Vec<Alert>,
    /// What is told to whoever does not see the page change.
    pub(super) summary: String,
    /// After so many seconds the page is made anew in any case, for what it says of times.
    pub(super) every: u32,
}

/// The page that stands for any other while the queue cannot be read.
#[derive(Template)]
#[template(path = "away.html")]
struct Away {
    frame: Frame,
    why: String,
}

/// The page that says that there is no such one.
#[derive(Template)]
#[template(path = "wrong.html")]
struct Wrong {
    frame: Frame,
    why: String,
}

/// Answers with a page.
pub(super) fn page(template: &impl Template) -> HttpResponse {
    with_status(StatusCode::OK, template)
}

/// Says that the queue cannot be read.
pub(super) fn away(why: String) -> HttpResponse {
    let summary = "The queue's store does not answer".to_owned();
    let frame = Frame { title: "Store away".to_owned(), summary, every: 2, ..Frame::default() };
    with_status(StatusCode::SERVICE_UNAVAILABLE, &Away { frame, why })
}

/// Says what is wrong with the request.
pub(super) fn wrong(status: StatusCode, why: String) -> HttpResponse {
    let frame = Frame { title: "Not possible".to_owned(), summary: why.clone(), every: 10, ..Frame::default() };
    with_status(status, &Wrong { frame, why })
}

/// Reads the queue for a page, or says why it cannot be read.
pub(super) async fn read<T>(
    access: &Access,
    reading: impl AsyncFnOnce(&Queue) -> Result<T, QueueError>,
) -> Result<T, String> {
    access.look(reading).await.map_err(|error| chain(&error))
}

fn with_status(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(html) => HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "same-origin"))
            .body(html),
        Err(error) => {
            error!(error = %error, "Cannot make a page of the dashboard");
            HttpResponse::InternalServerError().finish()
        }
    }
}
