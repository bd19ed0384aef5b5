//! `/workers`: workers, and the runners that are up.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use shared::{
    model::JobId,
    status::{RunnerSlot, WorkerStatus},
};

use super::{
    Dashboard,
    alerts::alerts,
    answer::{self, Frame},
    reading::Reading,
    words,
};

/// How many runners are listed; of more, it is said how many there are.
const RUNNERS_MAX: usize = 500;

#[derive(Template)]
#[template(path = "workers.html")]
struct Page {
    frame: Frame,
    workers: Vec<WorkerRow>,
    runners: Vec<RunnerRow>,
    /// How many runners are not listed.
    unlisted: usize,
}

/// A worker, as it is shown.
pub(super) struct WorkerRow {
    pub(super) worker: WorkerStatus,
    pub(super) is_there: bool,
    pub(super) seen: String,
    pub(super) pools: String,
}

/// A runner, as it is shown.
struct RunnerRow {
    name: String,
    pool: String,
    scope: String,
    worker: String,
    sign: &'static str,
    state: &'static str,
    /// The word for its looks.
    class: &'static str,
    job: Option<JobId>,
}

/// `GET /workers`
pub(super) async fn page(dashboard: Data<Dashboard>) -> HttpResponse {
    let reading = match dashboard.readings.now().await {
        Ok(reading) => reading,
        Err(why) => return answer::away(why),
    };
    let workers = worker_rows(&reading);
    let there = workers.iter().filter(|worker| worker.is_there).count() as u64;
    let up = reading.runners.len() as u64;
    let summary = format!("{}, {}", words::count(there, "worker", "workers"), words::count(up, "runner", "runners"));
    answer::page(&Page {
        frame: Frame { title: "Workers".to_owned(), section: "workers", alerts: alerts(&reading), summary, every: 5 },
        workers,
        runners: reading.runners.iter().take(RUNNERS_MAX).map(runner_row).collect(),
        unlisted: reading.runners.len().saturating_sub(RUNNERS_MAX),
    })
}

/// All workers, by name.
pub(super) fn worker_rows(reading: &Reading) -> Vec<WorkerRow> {
    let row = |worker: &WorkerStatus| WorkerRow {
        is_there: reading.is_there(worker),
        seen: words::seconds(worker.seen_seconds),
        pools: worker.pools.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        worker: worker.clone(),
    };
    reading.status.workers.iter().map(row).collect()
}

fn runner_row(runner: &RunnerSlot) -> RunnerRow {
    let text = |name: Option<String>| name.unwrap_or_else(|| "–".to_owned());
    RunnerRow {
        name: text(runner.name.as_ref().map(ToString::to_string)),
        pool: runner.pool.to_string(),
        scope: text(runner.scope.as_ref().map(ToString::to_string)),
        worker: text(runner.worker.as_ref().map(ToString::to_string)),
        sign: words::sign(runner.state),
        state: match (runner.busy, runner.job) {
            (true, _) => "works on its job",
            (false, None) => "waits for any job",
            (false, Some(_)) => runner.state.as_str(),
        },
        class: runner.state.as_str(),
        job: runner.job,
    }
}
