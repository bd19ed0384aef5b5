//! `devstack bench`.

use std::{fmt::Display, path::PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::{
    compare::compare,
    count::CountBench,
    ingest::{IngestBench, LoadCommand, MinimalCommand},
    look::LookBench,
    queue::QueueBench,
    start::StartBench,
};

/// What is measured.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchCommand {
    /// What a delivery costs, against servers that do the least that is needed
    Ingest(IngestBench),
    /// How many instructions of the processor a delivery takes: the same on a machine that is busy
    Count(CountBench),
    /// How long a job's runner takes to start, from the answer 202 on, and how long the same calls take when made directly
    Start(StartBench),
    /// What the queue's operations cost, and whether they cost more when many jobs wait
    Queue(QueueBench),
    /// How long the commands and pages take that show what there is, with many jobs on record
    Look(LookBench),
    /// Sends deliveries: a process of `ingest`'s measurement
    #[command(hide = true)]
    Load(LoadCommand),
    /// Receives deliveries and does the least: a process of the same
    #[command(hide = true)]
    Minimal(MinimalCommand),
}

impl BenchCommand {
    /// Measures and prints.
    ///
    /// # Errors
    ///
    /// When something does not start, or a job does not come to its end. Never because of what was measured.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Ingest(bench) => Box::pin(bench.run()).await,
            Self::Count(bench) => Box::pin(bench.run()).await,
            Self::Start(bench) => Box::pin(bench.run()).await,
            Self::Queue(bench) => Box::pin(bench.run()).await,
            Self::Look(bench) => Box::pin(bench.run()).await,
            Self::Load(load) => tokio::task::spawn_blocking(|| load.run()).await?,
            Self::Minimal(server) => server.run().await,
        }
    }
}

/// Where figures go, besides standard output.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Output {
    /// Write the figures to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Print what has changed since the figures in this file, which `--json` wrote
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

impl Output {
    /// Prints a report, and does the rest of what is asked for.
    pub(super) fn publish<R: Display + Serialize>(&self, report: &R) -> anyhow::Result<()> {
        let figures = serde_json::to_value(report)?;
        let changes = self.compare.as_ref().map(|file| compare(file, &figures)).transpose()?;
        #[allow(clippy::print_stdout, reason = "it is what the command is for")]
        {
            println!("{report}");
            if let Some(changes) = changes {
                println!("{changes}");
            }
        }
        if let Some(file) = &self.json {
            let text = serde_json::to_string_pretty(&figures)?;
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}

/// Refuses to measure what is not optimized.
pub(super) fn only_release() -> anyhow::Result<()> {
    anyhow::ensure!(
        !cfg!(debug_assertions),
        "only release builds are measured: cargo build --release --workspace --bins"
    );
    Ok(())
}
