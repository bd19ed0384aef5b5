//! The command itself.

use anyhow::Context as _;

use super::{
    super::command::{Output, only_release},
    measure::{self, Measured},
    report::Report,
};
use crate::up::{plan::Plan, stack::Stack, stop::Stop};

/// How the start of runners is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct StartBench {
    /// How many starts of each kind
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,

    #[command(flatten)]
    output: Output,
}

impl StartBench {
    async fn measure(&self, stack: &mut Stack, plan: &Plan, stop: &Stop) -> anyhow::Result<Measured> {
        stack.start(plan, stop).await?;
        Box::pin(stop.race(measure::measure(stack, self.rounds))).await?
    }

    pub(crate) async fn run(self) -> anyhow::Result<()> {
        only_release()?;
        let stop = Stop::listen().context("cannot listen for signals")?;
        let plan = Plan::stand_in();
        let mut stack = Stack::found(&plan, &stop).await?;
        let measured = self.measure(&mut stack, &plan, &stop).await;
        let measured = measured.with_context(|| stack.said());
        stack.end().await?;
        self.output.publish(&Report::of(&measured?))
    }
}
