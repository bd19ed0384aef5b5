//! The dashboard: what the queue does, and why a job waits, for a browser. Made here as a whole; the script only brings it up to date.

mod alerts;
mod answer;
mod assets;
mod dead;
mod dead_change;
mod job;
mod jobs;
mod live;
mod overview;
mod reading;
mod timeline;
mod waits_plot;
mod words;
mod workers;

use actix_web::web::{Data, ServiceConfig, get, post};

use live::Streams;
use reading::Readings;

use super::Access;

/// What the pages are made from.
pub(crate) struct Dashboard {
    access: Data<Access>,
    readings: Readings,
    streams: Streams,
}

impl Dashboard {
    pub(crate) fn new(access: Data<Access>) -> Self {
        Self { readings: Readings::new(access.clone()), streams: Streams::default(), access }
    }

    /// Keeps those that look on up to date, until [`close`](Self::close). Cancel-safe.
    pub(crate) async fn follow(&self) {
        self.streams.follow(&self.readings).await;
    }

    /// Ends the streams, which would be there as long as somebody looks on.
    pub(crate) fn close(&self) {
        self.streams.close();
    }
}

/// Adds the routes to an application.
pub(crate) fn routes(dashboard: &Data<Dashboard>, config: &mut ServiceConfig) {
    config
        .app_data(dashboard.clone())
        .route("/", get().to(overview::page))
        .route("/jobs", get().to(jobs::page))
        .route("/jobs/{id}", get().to(job::page))
        .route("/dead", get().to(dead::page))
        .route("/dead", post().to(dead_change::change))
        .route("/workers", get().to(workers::page))
        .route("/live", get().to(live::stream))
        .route("/assets/{name}", get().to(assets::file));
}
