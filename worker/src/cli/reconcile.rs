//! `worker reconcile`

use std::sync::Arc;

use clap::Args;
use futures_util::future::join;
use serde_json::json;
use shared::{github::Github, telemetry::Registry};
use tokio_util::sync::CancellationToken;

use super::table::aligned;
use crate::{
    config::{RECONCILE_EVERY, Settings},
    governor::QueueGovernor,
    metrics::Metrics,
    provider::docker::DockerProvider,
    source::reconcile::{Report, Round},
};

/// Compares the queue with GitHub now, as a worker does from time to time.
#[derive(Args, Debug)]
pub(super) struct Reconcile {
    /// Change nothing, and only say what there is to do
    #[arg(long)]
    dry_run: bool,
}

impl Reconcile {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let registry = Registry::new("worker");
        let governor = Arc::new(QueueGovernor::new(settings.queue.clone(), Metrics::new(&registry)));
        let github = Github::new(&settings.github)?.governed(Arc::clone(&governor) as _);
        let docker = DockerProvider::new(settings.docker.clone(), &settings.default_image);
        let every = settings.worker.reconcile_seconds;
        let round = Round {
            queue: &settings.queue,
            github: &github,
            provider: &docker,
            pools: settings.pools.all(),
            prefix: settings.prefix(),
            after: if every.is_zero() { RECONCILE_EVERY } else { every },
            dry_run: self.dry_run,
        };
        let stop = CancellationToken::new();
        let compare = async {
            let report = round.run().await;
            stop.cancel();
            report
        };
        let (report, ()) = join(compare, governor.run(stop.clone())).await;
        if json {
            let mut said = serde_json::to_value(&report)?;
            said["dry_run"] = json!(self.dry_run);
            println!("{said}");
        } else {
            anstream::println!("{}", table(&report));
            for problem in &report.problems {
                eprintln!("{}", problem.text);
            }
        }
        match report.halted {
            Some(why) => Err(anyhow::anyhow!(why).context("the comparison ended early")),
            None => Ok(()),
        }
    }
}

/// A line for each thing.
fn table(report: &Report) -> String {
    let mut rows = vec![["WHAT", "WHICH", "DETAIL"].map(str::to_owned)];
    let mut row = |what: &str, which: String, detail: String| rows.push([what.to_owned(), which, detail]);
    for it in &report.redelivered {
        row("redelivered", it.delivery.to_string(), format!("{}, {}", it.action, it.hook));
    }
    for it in &report.enqueued {
        row("enqueued", it.job.to_string(), format!("{}, pool {}", it.repository, it.pool));
    }
    for it in &report.closed {
        row("closed", it.job.to_string(), format!("{}, {}", it.repository, it.reason));
    }
    for it in &report.deregistered {
        row("deregistered", it.runner.to_string(), it.scope.to_string());
    }
    aligned(&rows, &[])
}
