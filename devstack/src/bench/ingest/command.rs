//! The command itself.

use std::{io::Write as _, path::PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::{
    super::command::{Output, only_release},
    deliveries::{self, Template},
    extremes,
    measure::{Sending, measure},
    report::Report,
};
use crate::{
    github::{JobSpec, example},
    up::stop::Stop,
};

/// How `ingest` is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct IngestBench {
    /// How many rounds; each has a run of every contender
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// How many deliveries in a run
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    deliveries: u32,

    /// After how many deliveries the memory is looked at
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=2_000_000))]
    many: u32,

    /// Over how many connections, which stay
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    connections: u64,

    #[command(flatten)]
    payload: Payload,

    #[command(flatten)]
    output: Output,
}

/// What deliveries say.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::bench) struct Payload {
    /// A payload of GitHub's to send instead of the stand-in's: a file of JSON, of the action `queued`
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
}

impl Payload {
    /// It as a file, with the labels that its job asks for.
    pub(in crate::bench) fn write(&self) -> anyhow::Result<(NamedTempFile, Vec<String>)> {
        let payload = match &self.payload {
            Some(file) => std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
            None => example(&JobSpec::of("octocat/bench".parse()?)),
        };
        let mut file = NamedTempFile::new()?;
        file.write_all(&payload)?;
        Ok((file, deliveries::labels(&payload)?))
    }
}

impl IngestBench {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        only_release()?;
        let stop = Stop::listen().context("cannot listen for signals")?;
        let (file, labels) = self.payload.write()?;
        let bytes = Template::read(file.path())?.body_bytes();
        let Self { deliveries, connections, .. } = self;
        let sending = Sending { payload: file.path(), deliveries, connections, per_second: None };
        let measuring = async {
            let runs = measure(self.rounds.try_into()?, sending, &labels).await?;
            anyhow::Ok((runs, extremes::measure(sending, self.many, &labels).await?))
        };
        let (runs, extremes) = Box::pin(stop.race(measuring)).await??;
        self.output.publish(&Report::of(&runs, &extremes, sending, bytes))
    }
}
