//! Many jobs at once, against the engine's own best rate.

use std::fmt;

use anyhow::ensure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tokio::time::{Duration, Instant, sleep};

use super::{
    super::figures::median,
    direct::Twin,
    measure::{Bench, spec},
};
use crate::{
    github::{JobStatus, Webhook},
    up::stack::SECRET,
};

/// How many direct starts are under way at once.
const AT_ONCE: [usize; 5] = [1, 2, 4, 8, 16];

/// The least part of the engine's best rate that the worker may have.
const TARGET: f64 = 0.95;

/// How many deliveries are under way at once.
const DELIVERIES: usize = 16;

/// How often all of it is measured: the engine becomes faster and slower, so each is compared with what was measured beside it. More
/// rounds than these would meet GitHub's rate limit, within which the worker stays.
const ROUNDS: usize = 3;

/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(100);

/// How long a burst may take, for each of its jobs.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pause before each measurement: the engine tidies up after what was before.
const QUIET: Duration = Duration::from_secs(1);

/// What the engine does by itself, and through the worker. A container counts once it has run a job and is removed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Burst {
    jobs: u32,
    /// How many containers each rate of the engine was measured with.
    starts: u32,
    /// How many the worker had the engine start at once, if not as many as by default.
    worker_starts: Option<u32>,
    /// At the median.
    direct: Vec<Direct>,
    /// Containers per second, through webhook, queue and worker, at the median.
    served: f64,
    /// Of the engine's best rate in the same round, at the median; and of each round.
    ratio: f64,
    ratios: Vec<f64>,
    target: f64,
    met: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Direct {
    at_once: usize,
    /// Containers per second.
    rate: f64,
}

/// What one round has measured: the engine's own rates, as in [`AT_ONCE`], and that of the burst.
type Round = ([f64; AT_ONCE.len()], f64);

/// Measures the engine's own rates and the burst, in turns.
pub(super) async fn measure(bench: &Bench<'_>, twin: &Twin, jobs: u32, starts: u32) -> anyhow::Result<Burst> {
    let mut rounds: Vec<Round> = Vec::new();
    for _ in 0..ROUNDS {
        let mut own = [0.0; AT_ONCE.len()];
        for (rate, at_once) in own.iter_mut().zip(AT_ONCE) {
            *rate = direct(bench, twin, at_once, starts).await?;
        }
        rounds.push((own, served(bench, jobs).await?));
    }
    Ok(Burst::of(&rounds, jobs, starts))
}

impl Burst {
    /// As measured with this setting of the worker's.
    pub(super) fn with(self, worker_starts: Option<u32>) -> Self {
        Self { worker_starts, ..self }
    }

    /// The best of the engine's own rates is that which is the best at the median: of several measured once, the best was lucky.
    fn of(rounds: &[Round], jobs: u32, starts: u32) -> Self {
        let rate = |which: usize| median(rounds.iter().map(|(own, _)| own[which]));
        let direct: Vec<Direct> = AT_ONCE
            .iter()
            .enumerate()
            .map(|(which, at_once)| Direct { at_once: *at_once, rate: rate(which) })
            .collect();
        let best = (0..AT_ONCE.len()).max_by(|one, other| rate(*one).total_cmp(&rate(*other))).unwrap_or_default();
        let ratios: Vec<f64> = rounds.iter().map(|(own, served)| served / own[best]).collect();
        let ratio = median(ratios.iter().copied());
        let served = median(rounds.iter().map(|(_, served)| *served));
        Self { jobs, starts, worker_starts: None, direct, served, ratio, ratios, target: TARGET, met: ratio >= TARGET }
    }
}

/// So many containers, each of which takes a job of its own and ends, with calls to the engine alone: containers per second.
async fn direct(bench: &Bench<'_>, twin: &Twin, at_once: usize, starts: u32) -> anyhow::Result<f64> {
    let (github, docker) = (&bench.shown.stand_in, &bench.containers.docker);
    github.set_webhook(None); // nobody is to be told of these jobs
    let mut runners = Vec::new();
    for number in 0..starts {
        let name = format!("direct-{}-{at_once}-{number}-{:04x}", std::process::id(), fastrand::u16(..));
        github.add_job(spec("true")?);
        runners.push((twin.register(&name).await?, name));
    }
    sleep(QUIET).await;
    let begun = Instant::now();
    let runs = stream::iter(runners).map(async |(files, name)| twin.run(docker, &name, files).await.map(drop));
    runs.buffer_unordered(at_once).try_collect::<()>().await?;
    let took = begun.elapsed();
    github.set_webhook(Webhook::json(&bench.shown.webhook, SECRET));
    ensure!(open(bench) == 0, "a runner that was started directly took no job");
    Ok(f64::from(starts) / took.as_secs_f64())
}

/// So many jobs at once: containers per second, from the first delivery until the last container is gone.
async fn served(bench: &Bench<'_>, jobs: u32) -> anyhow::Result<f64> {
    sleep(QUIET).await;
    let begun = Instant::now();
    let deliveries = stream::iter(0..jobs).map(async |_| bench.deliver("true").await.map(drop));
    deliveries.buffer_unordered(DELIVERIES).try_collect::<()>().await?;
    while open(bench) > 0 || !bench.containers.list().await?.is_empty() {
        ensure!(begun.elapsed() < PATIENCE * jobs, "the burst does not end: {} jobs are open", open(bench));
        sleep(LOOK).await;
    }
    Ok(f64::from(jobs) / begun.elapsed().as_secs_f64())
}

/// How many jobs GitHub has that have not ended.
fn open(bench: &Bench<'_>) -> usize {
    bench.shown.stand_in.jobs().iter().filter(|job| job.status != JobStatus::Completed).count()
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} jobs at once; containers per second, each of which runs a job and is removed\n", self.jobs)?;
        for Direct { at_once, rate } in &self.direct {
            writeln!(f, "{:<38} {rate:>18.2}", format!("direct calls, {at_once} at a time"))?;
        }
        let starts = self.worker_starts.map_or_else(String::new, |starts| format!(", {starts} at a time"));
        writeln!(f, "{:<38} {:>18.2}\n", format!("through the worker{starts}"), self.served)?;
        write!(
            f,
            "{:.2} of the engine's best rate ({} in the rounds). Target: at least {:.2}: {}.",
            self.ratio,
            self.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(", "),
            self.target,
            if self.met { "met" } else { "missed" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_is_compared_with_what_was_measured_beside_it() {
        // The engine becomes half as fast, and one rate was lucky once.
        let rounds =
            [([4.0, 8.0, 3.0, 5.0, 5.0], 8.0), ([2.0, 4.0, 9.0, 2.0, 2.0], 3.0), ([2.0, 4.0, 3.0, 2.0, 2.0], 4.0)];
        let burst = Burst::of(&rounds, 200, 40);
        assert_eq!((burst.ratios.as_slice(), burst.ratio), ([1.0, 0.75, 1.0].as_slice(), 1.0));
        assert_eq!((burst.direct[1].rate, burst.served, burst.met), (4.0, 4.0, true));
    }
}
