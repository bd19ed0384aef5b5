//! The private listener that both processes have: `/livez`, `/readyz`, `/metrics`.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
};

use actix_web::{HttpResponse, Route, http::header, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::telemetry::Registry;

/// The format of `/metrics`.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Finds out whether the process can do its work: `Err` says what it lacks.
pub type ReadinessCheck = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>>>> + Send + Sync>;

/// Has the metrics be what they are now, those of them that are not kept up anyway.
pub type Refresh = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync>;

/// What the listener answers from.
#[derive(Clone)]
pub struct Admin {
    /// Asked at every `/readyz`; bounds its own waits.
    pub ready: ReadinessCheck,
    /// Shown at `/metrics`.
    pub metrics: Registry,
    /// Awaited before that; bounds its own waits.
    pub refresh: Option<Refresh>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The body of every answer that has nothing to show: a word for programs, and a sentence for people.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answer<'a> {
    /// A word, for programs.
    pub status: &'a str,
    /// What is the matter, and what to do about it.
    pub msg: &'a str,
}

impl Admin {
    /// Adds the routes to an application.
    pub fn routes(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(self.clone()))
            .service(web::resource("/livez").route(web::get().to(livez)).default_service(only("GET")))
            .service(web::resource("/readyz").route(web::get().to(readyz)).default_service(only("GET")))
            .service(web::resource("/metrics").route(web::get().to(metrics)).default_service(only("GET")));
    }
}

/// The answer to every method but `allowed`, for a resource that has routes for those.
#[must_use]
pub fn only(allowed: &'static str) -> Route {
    web::to(move || async move {
        let answer = Answer { status: "method_not_allowed", msg: "the method is not allowed here" };
        HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, allowed)).json(answer)
    })
}

/// The answer to a path that leads nowhere.
pub fn unknown() -> Ready<HttpResponse> {
    ready(HttpResponse::NotFound().json(Answer { status: "not_found", msg: "there is nothing here" }))
}

/// Whether the process is up
#[utoipa::path(
    get, path = "/livez", tag = "process", security(()),
    responses((status = 200, body = Answer<'static>, description = "It is")),
)]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(Answer { status: "ok", msg: "alive" })
}

/// Whether the process can do its work
#[utoipa::path(
    get, path = "/readyz", tag = "process", security(()),
    responses(
        (status = 200, body = Answer<'static>, description = "It can"),
        (status = 503, body = Answer<'static>, description = "It cannot: what it lacks"),
    ),
)]
pub async fn readyz(admin: web::Data<Admin>) -> HttpResponse {
    match (admin.ready)().await {
        Ok(()) => HttpResponse::Ok().json(Answer { status: "ok", msg: "ready" }),
        Err(lack) => HttpResponse::ServiceUnavailable().json(Answer { status: "unavailable", msg: &lack }),
    }
}

/// Metrics, for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "process",
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text", description = "All of them"),
        (status = 401, body = Answer<'static>, description = "The token is missing or wrong"),
        (status = 421, body = Answer<'static>, description = "The listener is for its own machine alone"),
    ),
)]
pub async fn metrics(admin: web::Data<Admin>) -> HttpResponse {
    if let Some(refresh) = &admin.refresh {
        refresh().await;
    }
    HttpResponse::Ok().content_type(OPENMETRICS).body(admin.metrics.encode())
}
