//! `/`: pools, workers, and how long jobs waited.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use shared::status::PoolStatus;

use super::{
    Dashboard,
    alerts::alerts,
    answer::{self, Frame},
    reading::Reading,
    waits_plot::Plot,
    words,
    workers::{WorkerRow, worker_rows},
};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    pools: Vec<PoolRow>,
    workers: Vec<WorkerRow>,
    dead: u64,
    plot: Option<Plot>,
}

/// A pool, as it is shown.
struct PoolRow {
    pool: PoolStatus,
    /// How many of its slots are taken.
    used: u64,
    /// The same in hundredths of its limit.
    percent: u64,
    /// How long its oldest job has waited.
    oldest: String,
    /// The workers that serve it, or what it lacks.
    served: String,
    is_served: bool,
}

/// `GET /`
pub(super) async fn page(dashboard: Data<Dashboard>) -> HttpResponse {
    let reading = match dashboard.readings.now().await {
        Ok(reading) => reading,
        Err(why) => return answer::away(why),
    };
    let waits = match dashboard.readings.waits(&reading.status).await {
        Ok(waits) => waits,
        Err(why) => return answer::away(why),
    };
    let frame = Frame {
        title: "Overview".to_owned(),
        section: "overview",
        alerts: alerts(&reading),
        summary: summary(&reading),
        every: 5,
    };
    answer::page(&Overview {
        pools: reading.status.pools.iter().map(|pool| pool_row(pool, &reading)).collect(),
        workers: worker_rows(&reading),
        dead: reading.status.pools.iter().map(|pool| pool.dead).sum(),
        plot: Plot::of(&waits),
        frame,
    })
}

/// The whole in a sentence.
fn summary(reading: &Reading) -> String {
    let sum = |of: fn(&PoolStatus) -> u64| reading.status.pools.iter().map(of).sum::<u64>();
    let waiting = sum(|pool| pool.pending + pool.delayed);
    let up = sum(|pool| pool.starting + pool.running + pool.orphaned);
    let dead = sum(|pool| pool.dead);
    let waiting = words::count(waiting, "job waits", "jobs wait");
    format!(
        "{waiting}, {}, {}",
        words::count(up, "runner is up", "runners are up"),
        words::count(dead, "dead letter", "dead letters")
    )
}

fn pool_row(pool: &PoolStatus, reading: &Reading) -> PoolRow {
    let used = pool.starting + pool.running + pool.orphaned;
    let serving: Vec<String> = reading.serving(pool).map(|worker| worker.name.to_string()).collect();
    PoolRow {
        used,
        percent: (used * 100).checked_div(pool.limit).unwrap_or(0).min(100),
        oldest: if pool.pending == 0 { "–".to_owned() } else { words::seconds(pool.oldest_seconds) },
        is_served: !serving.is_empty(),
        served: if serving.is_empty() { "no worker".to_owned() } else { serving.join(", ") },
        pool: pool.clone(),
    }
}
