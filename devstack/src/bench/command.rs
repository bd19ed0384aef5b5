//! `devstack bench`.

use std::{fmt::Display, path::PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::{look::LookBench, queue::QueueBench, start::StartBench};

/// What is measured.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchCommand {
    /// How long a job's runner takes to start, from the answer 202 on, and how long the same calls take when made directly
    Start(StartBench),
    /// What the queue's operations cost, and whether they cost more when many jobs wait
    Queue(QueueBench),
    /// How long the commands and pages take that show what there is, with many jobs on record
    Look(LookBench),
}

impl BenchCommand {
    /// Measures and prints.
    ///
    /// # Errors
    ///
    /// When something does not start, or a job does not come to its end. Never because of what was measured.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Start(bench) => Box::pin(bench.run()).await,
            Self::Queue(bench) => Box::pin(bench.run()).await,
            Self::Look(bench) => Box::pin(bench.run()).await,
        }
    }
}

/// Prints a report, and writes it to `file` as JSON, if there is one.
pub(super) fn publish<R: Display + Serialize>(report: &R, file: Option<&PathBuf>) -> anyhow::Result<()> {
    #[allow(clippy::print_stdout, reason = "it is what the command is for")]
    {
        println!("{report}");
    }
    if let Some(file) = file {
        let text = serde_json::to_string_pretty(report)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Refuses to measure what is not optimized.
pub(super) fn only_release() -> anyhow::Result<()> {
    anyhow::ensure!(
        !cfg!(debug_assertions),
        "only release builds are measured: cargo build --release --workspace --bins"
    );
    Ok(())
}
