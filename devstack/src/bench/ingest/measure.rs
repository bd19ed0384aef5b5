//! Measures all contenders in turns.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};

use super::{
    super::usage,
    contender::{Contender, OTHER_CORE, Running},
    load::Answered,
    pinned,
};

/// How many deliveries a server has had before those that count.
const WARM_UP: u32 = 2_000;

/// One run of one contender.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) answered: Answered,
    pub(super) deliveries: u32,
    /// What the server used, and Redis.
    pub(super) server: Duration,
    pub(super) redis: Duration,
    pub(super) memory: f64,
}

/// How deliveries are sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Sending<'a> {
    pub(in crate::bench) payload: &'a Path,
    pub(in crate::bench) deliveries: u32,
    pub(in crate::bench) connections: u64,
    pub(in crate::bench) per_second: Option<u32>,
}

/// All rounds: of each contender, its runs. The order turns by one in each round, for what came before warms or tires the machine.
pub(super) async fn measure(
    rounds: usize,
    sending: Sending<'_>,
    labels: &[String],
) -> anyhow::Result<Vec<(Contender, Vec<Run>)>> {
    let mut all: Vec<(Contender, Vec<Run>)> = Contender::ALL.iter().map(|contender| (*contender, Vec::new())).collect();
    for round in 0..rounds {
        for turn in 0..all.len() {
            let at = (turn + round) % all.len();
            let (contender, runs) = &mut all[at];
            let run = run(*contender, sending, labels).await;
            runs.push(run.with_context(|| format!("{contender}, round {round}"))?);
        }
    }
    Ok(all)
}

/// One run, on a server of its own that has been warmed up.
pub(super) async fn run(contender: Contender, sending: Sending<'_>, labels: &[String]) -> anyhow::Result<Run> {
    let running = Running::start(contender, labels).await?;
    let warm = Sending { deliveries: WARM_UP, per_second: None, ..sending };
    running.send(contender, 0, warm).await?;
    let run = running.measured(contender, WARM_UP, sending).await?;
    running.server.kill().await?;
    Ok(run)
}

impl Running {
    pub(super) async fn measured(&self, contender: Contender, first: u32, sending: Sending<'_>) -> anyhow::Result<Run> {
        let used = || anyhow::Ok((usage::cpu(self.server.pid())?, usage::cpu(self.redis.pid())?));
        let (server, redis) = used()?;
        let answered = self.send(contender, first, sending).await?;
        let (server_after, redis_after) = used()?;
        Ok(Run {
            answered,
            deliveries: sending.deliveries,
            server: server_after.saturating_sub(server),
            redis: redis_after.saturating_sub(redis),
            memory: usage::memory(self.server.pid())?,
        })
    }

    /// Sends deliveries, which must all be answered as they should.
    pub(in crate::bench) async fn send(
        &self,
        contender: Contender,
        first: u32,
        sending: Sending<'_>,
    ) -> anyhow::Result<Answered> {
        let Sending { payload, deliveries, connections, per_second } = sending;
        let mut arguments = vec!["bench".to_owned(), "load".to_owned()];
        arguments.extend([format!("--port={}", self.port), format!("--payload={}", payload.display())]);
        arguments.extend([format!("--first={first}"), format!("--deliveries={deliveries}")]);
        arguments.push(format!("--connections={connections}"));
        arguments.extend(per_second.map(|rate| format!("--per-second={rate}")));
        match contender {
            Contender::Get => arguments.push("--get".to_owned()),
            Contender::Forged => arguments.push("--forged".to_owned()),
            _ => {}
        }
        let printed = pinned::run(OTHER_CORE, &std::env::current_exe()?, &arguments).await?;
        let answered: Answered = serde_json::from_str(&printed).context("whoever sends prints something odd")?;
        let right = answered.statuses.get(&contender.status()).copied().unwrap_or(0);
        ensure!(right == u64::from(deliveries), "{deliveries} deliveries were answered {:?}", answered.statuses);
        Ok(answered)
    }
}
