//! `devstack bench`.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::{
    report::Report,
    start::{self, Measured},
};
use crate::up::{plan::Plan, stack::Stack, stop::Stop};

/// What is measured.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchCommand {
    /// How long a job's runner takes to start, from the answer 202 on, and how long the same calls take when made directly
    Start(StartBench),
}

/// How the start of runners is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct StartBench {
    /// How many starts of each kind
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,

    /// Write the figures to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
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
        }
    }
}

impl StartBench {
    async fn measure(&self, stack: &mut Stack, plan: &Plan, stop: &Stop) -> anyhow::Result<Measured> {
        stack.start(plan, stop).await?;
        Box::pin(stop.race(start::measure(stack, self.rounds))).await?
    }

    async fn run(self) -> anyhow::Result<()> {
        ensure!(!cfg!(debug_assertions), "only release builds are measured: cargo build --release --workspace --bins");
        let stop = Stop::listen().context("cannot listen for signals")?;
        let plan = Plan::stand_in();
        let mut stack = Stack::found(&plan, &stop).await?;
        let measured = self.measure(&mut stack, &plan, &stop).await;
        let measured = measured.with_context(|| stack.said());
        stack.end().await?;
        let report = Report::of(&measured?);
        #[allow(clippy::print_stdout, reason = "it is what the command is for")]
        {
            println!("{report}");
        }
        if let Some(file) = self.json {
            let text = serde_json::to_string_pretty(&report)?;
            std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}
