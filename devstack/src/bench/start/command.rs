//! The command itself.

use std::fmt;

use anyhow::Context as _;
use serde::Serialize;

use super::{
    super::command::{Output, only_release},
    burst::{self, Burst},
    measure::{self, Bench},
    report::Report,
    resident::{self, Resident},
    startup::{self, Startup},
};
use crate::up::{plan::Plan, stack::Stack, stop::Stop};

/// How the start of runners is measured, and what the processes take.
#[derive(Clone, Debug, clap::Args)]
pub struct StartBench {
    /// How many starts of each kind, one after the other
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,

    /// How many jobs there are at once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    burst: u32,

    /// How many containers each of the engine's own rates is measured with
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    engine_starts: u32,

    /// How many containers the worker has the engine start at once (`WORKER_STARTS`), if not as many as by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    worker_starts: Option<u32>,

    /// With how many running containers a worker's memory is measured
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    resident: u32,

    #[command(flatten)]
    output: Output,
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Figures {
    starts: Report,
    burst: Burst,
    resident: Resident,
    startup: Startup,
}

impl StartBench {
    async fn measure(&self, stack: &mut Stack, plan: &Plan, stop: &Stop) -> anyhow::Result<(Report, Burst)> {
        stack.start(plan, stop).await?;
        let measured = async {
            let bench = Bench::on(stack)?;
            let twin = bench.twin().await?;
            let measured = measure::measure(&bench, &twin, self.rounds).await?;
            let burst = burst::measure(&bench, &twin, self.burst, self.engine_starts).await?.with(self.worker_starts);
            anyhow::Ok((Report::of(&measured), burst))
        };
        Box::pin(stop.race(measured)).await?
    }

    pub(crate) async fn run(self) -> anyhow::Result<()> {
        only_release()?;
        let stop = Stop::listen().context("cannot listen for signals")?;
        let startup = Box::pin(stop.race(startup::measure())).await??;
        let resident = Box::pin(stop.race(resident::measure(self.resident))).await??;
        let plan = Plan::stand_in(self.burst);
        let mut stack = Stack::found(&plan, &stop).await?;
        if let Some(starts) = self.worker_starts {
            stack.set("WORKER_STARTS", &starts.to_string());
        }
        let measured = self.measure(&mut stack, &plan, &stop).await;
        let measured = measured.with_context(|| stack.said());
        stack.end().await?;
        let (starts, burst) = measured?;
        self.output.publish(&Figures { starts, burst, resident, startup })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { starts, burst, resident, startup } = self;
        write!(f, "{starts}\n\n{burst}\n\n{resident}\n\n{startup}")
    }
}
