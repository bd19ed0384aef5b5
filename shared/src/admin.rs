//! The private listener that both processes have: `/livez`, `/readyz`, `/metrics`.

use std::{future::Future, pin::Pin, sync::Arc};

use actix_web::{HttpResponse, web};
use serde::Serialize;

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

#[derive(Serialize)]
struct Status<'a> {
    status: &'a str,
    msg: &'a str,
}

impl Admin {
    /// Adds the routes to an application.
    pub fn routes(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(self.clone()))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics));
    }
}

async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(Status { status: "ok", msg: "alive" })
}

async fn readyz(admin: web::Data<Admin>) -> HttpResponse {
    match (admin.ready)().await {
        Ok(()) => HttpResponse::Ok().json(Status { status: "ok", msg: "ready" }),
        Err(lack) => HttpResponse::ServiceUnavailable().json(Status { status: "unavailable", msg: &lack }),
    }
}

async fn metrics(admin: web::Data<Admin>) -> HttpResponse {
    if let Some(refresh) = &admin.refresh {
        refresh().await;
    }
    HttpResponse::Ok().content_type(OPENMETRICS).body(admin.metrics.encode())
}
