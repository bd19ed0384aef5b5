//! The command itself.

use anyhow::Context as _;

use super::{
    super::{
        command::{Output, only_release},
        store::Store,
    },
    measure::measure,
    report::Report,
};
use crate::up::stop::Stop;

/// How looking is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct LookBench {
    /// How many jobs are on record
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    jobs: u64,

    /// How often each command and each page is asked for
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    #[command(flatten)]
    output: Output,
}

impl LookBench {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        only_release()?;
        let stop = Stop::listen().context("cannot listen for signals")?;
        let stores = [Store::redis("everysec").await?, Store::file()?];
        let measured = Box::pin(stop.race(measure(&stores, self.jobs, self.rounds))).await??;
        self.output.publish(&Report::of(&measured, self.jobs))
    }
}
