//! The command itself.

use anyhow::Context as _;

use super::{
    super::{
        command::{Output, only_release},
        store::Store,
    },
    measure::{Effort, measure},
    report::Report,
};
use crate::up::stop::Stop;

/// How the queue is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct QueueBench {
    /// How many jobs wait in each of the pools that are compared; the first is what the others are compared with
    #[arg(long, value_delimiter = ',', default_values_t = [0, 10_000, 1_000_000])]
    depths: Vec<u64>,

    /// The same for the embedded store, which is for a single machine
    #[arg(long, value_delimiter = ',', default_values_t = [0, 10_000, 100_000])]
    file_depths: Vec<u64>,

    /// How many operations of each kind in a round
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    operations: u64,

    /// How many rounds; the median of them counts
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// How Redis writes to its disk: always, everysec, no
    #[arg(long, default_value = "always")]
    fsync: String,

    #[command(flatten)]
    output: Output,
}

impl QueueBench {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        only_release()?;
        let stop = Stop::listen().context("cannot listen for signals")?;
        let stores = vec![(Store::redis(&self.fsync).await?, self.depths), (Store::file()?, self.file_depths)];
        let measured = measure(&stores, Effort { operations: self.operations, rounds: self.rounds });
        let measured = Box::pin(stop.race(measured)).await??;
        self.output.publish(&Report::of(&measured, self.operations))
    }
}
