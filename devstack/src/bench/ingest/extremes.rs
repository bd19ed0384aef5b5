//! What `ingest` does at its bounds: its memory after very many deliveries over very many connections, and a burst.

use super::{
    super::usage,
    contender::{Contender, Running},
    load::Answered,
    measure::Sending,
};

/// How many connections.
const CONNECTIONS: u64 = 1_000;

/// How many deliveries a burst has, all within a second.
pub(super) const BURST: u32 = 10_000;

/// What was measured.
#[derive(Clone, Debug)]
pub(super) struct Extremes {
    /// How many deliveries there were before its memory was looked at.
    pub(super) deliveries: u32,
    pub(super) connections: u64,
    pub(super) memory: f64,
    /// The most memory it had meanwhile.
    pub(super) peak: f64,
    pub(super) burst: Answered,
}

/// Measures both, on one server: the burst comes first.
pub(super) async fn measure(sending: Sending<'_>, many: u32, labels: &[String]) -> anyhow::Result<Extremes> {
    let running = Running::start(Contender::Ingest, labels).await?;
    let sending = Sending { connections: CONNECTIONS, ..sending };
    let burst = Sending { deliveries: BURST, per_second: Some(BURST), ..sending };
    let burst = running.measured(Contender::Ingest, 0, burst).await?.answered;
    let rest = Sending { deliveries: many, ..sending };
    let run = running.measured(Contender::Ingest, BURST, rest).await?;
    let peak = usage::peak(running.server.pid())?;
    running.server.kill().await?;
    Ok(Extremes { deliveries: many, connections: CONNECTIONS, memory: run.memory, peak, burst })
}
