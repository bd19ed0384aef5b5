//! `devstack bench count`: how many instructions of the processor `ingest` takes for a delivery, as callgrind counts them.
//!
//! What a machine is busy with does not change the count, so that it can be held to a figure on record.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::{
    command::Output,
    ingest::{Contender, Payload, Running, Sending},
};
use crate::{harness::program_beside, up::stop::Stop};

/// Deliveries of a first run and of a second one. What they differ by in instructions is the doing of the deliveries that they differ by.
const FEW: u32 = 300;
/// See [`FEW`].
const MANY: u32 = 1_300;

/// How far the count may be from the one on record, in percent.
const PERCENT: f64 = 5.0;

/// How instructions are counted.
#[derive(Clone, Debug, clap::Args)]
pub struct CountBench {
    /// The program `ingest`, optimized; the one beside this program unless given
    #[arg(long, value_name = "FILE")]
    ingest: Option<PathBuf>,

    /// Fail if the count is not within five percent of the one in this file, which `--json` wrote
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    #[command(flatten)]
    payload: Payload,

    #[command(flatten)]
    output: Output,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Counted {
    instructions_per_delivery: f64,
}

impl CountBench {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let stop = Stop::listen().context("cannot listen for signals")?;
        let ingest = self.ingest.clone().map_or_else(|| program_beside("ingest"), fs::canonicalize);
        let ingest = ingest.context("there is no such program")?;
        let (payload, labels) = self.payload.write()?;
        let counting = async {
            let [few, many] = [
                instructions(&ingest, payload.path(), FEW, &labels).await?,
                instructions(&ingest, payload.path(), MANY, &labels).await?,
            ];
            anyhow::Ok((many - few) / f64::from(MANY - FEW))
        };
        let counted = Counted { instructions_per_delivery: Box::pin(stop.race(counting)).await?? };
        self.output.publish(&counted)?;
        match &self.record {
            Some(file) => counted.check(file),
            None => Ok(()),
        }
    }
}

impl Counted {
    fn check(self, file: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let Self { instructions_per_delivery: record } = serde_json::from_str(&text)?;
        let percent = (self.instructions_per_delivery / record - 1.0) * 100.0;
        ensure!(
            percent.abs() <= PERCENT,
            "a delivery takes {percent:+.1} % of the instructions on record ({record:.0}): find out why; if it is meant to be so, put the new figure on \
             record: devstack bench count --json {}",
            file.display()
        );
        Ok(())
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} instructions for a delivery", self.instructions_per_delivery)
    }
}

/// How many `ingest` takes from its start to its end with so many deliveries, one after the other over one connection.
async fn instructions(ingest: &Path, payload: &Path, deliveries: u32, labels: &[String]) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    let arguments = [
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", counts.display()),
        ingest.display().to_string(),
    ];
    let running = Running::start_by(Contender::Ingest, (Path::new("valgrind"), &arguments), labels).await?;
    running.send(Contender::Ingest, 0, Sending { payload, deliveries, connections: 1, per_second: None }).await?;
    running.server.stop().await?;
    let text = fs::read_to_string(&counts).context("callgrind has written nothing")?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).context("callgrind tells no total")
}
