//! `worker runners`

use clap::Args;
use shared::status::RunnerSlot;

use super::table::{aligned, or_dash};
use crate::config::Settings;

/// Shows the runners that are up, or being prepared, on all hosts.
#[derive(Args, Debug)]
pub(super) struct Runners;

impl Runners {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let runners = settings.queue.runners().await?;
        anstream::println!("{}", if json { serde_json::to_string(&runners)? } else { table(&runners) });
        Ok(())
    }
}

fn table(runners: &[RunnerSlot]) -> String {
    let mut rows = vec![["RUNNER", "POOL", "SCOPE", "WORKER", "STATE", "JOB"].map(str::to_owned)];
    rows.extend(runners.iter().map(|runner| {
        let state = if runner.busy { "busy".to_owned() } else { runner.state.to_string() };
        [
            or_dash(runner.name.as_ref()),
            runner.pool.to_string(),
            or_dash(runner.scope.as_ref()),
            or_dash(runner.worker.as_ref()),
            state,
            or_dash(runner.job.as_ref()),
        ]
    }));
    aligned(&rows, &[]).trim_end().to_owned()
}
