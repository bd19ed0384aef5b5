//! What the processes take up that have nothing to do, and a worker with many running containers.

use std::{fmt, time::Duration};

use anyhow::ensure;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{
    super::usage::{cpu, memory, peak},
    alone::Alone,
    measure::spec,
};

/// The most memory of a worker with its containers, in MiB.
const MEMORY_MIB: f64 = 64.0;

/// The most of a core that a process may take while nothing happens, in percent.
const CPU_PERCENT: f64 = 1.0;

/// For how long nothing happens.
const IDLE: Duration = Duration::from_secs(30);

/// For how long it is waited before: the start of something is over then.
const QUIET: Duration = Duration::from_secs(5);

/// How long it may take until all jobs run.
const PATIENCE: Duration = Duration::from_mins(3);

/// How long the jobs run: longer than they are looked at.
const SCRIPT: &str = "sleep 300";

/// What was found. Containers of a stand-in for Docker's API: to a worker they are as good, and an engine that holds so many takes a
/// larger machine.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Resident {
    containers: u32,
    /// MiB that a worker has in memory with them, and had at the most.
    memory: f64,
    peak: f64,
    /// The same without any.
    memory_idle: f64,
    /// Percent of a core while nothing happens: ingest, a worker, and a worker with the containers.
    ingest_cpu: f64,
    worker_cpu: f64,
    busy_cpu: f64,
    memory_target: f64,
    cpu_target: f64,
    met: bool,
}

/// Has a worker hold so many containers.
pub(super) async fn measure(containers: u32) -> anyhow::Result<Resident> {
    let alone = Alone::new(containers)?;
    let (ingest, _) = alone.ingest.start().await?;
    let (worker, _) = alone.worker.start().await?;
    sleep(QUIET).await;
    let before = [cpu(ingest.pid())?, cpu(worker.pid())?];
    sleep(IDLE).await;
    let ingest_cpu = percent(before[0], cpu(ingest.pid())?);
    let worker_cpu = percent(before[1], cpu(worker.pid())?);
    let memory_idle = memory(worker.pid())?;

    for _ in 0..containers {
        alone.github.queue_job(spec(SCRIPT)?);
    }
    let begun = Instant::now();
    let many = usize::try_from(containers)?;
    while alone.docker.containers().iter().filter(|container| container.took.is_some()).count() < many {
        ensure!(begun.elapsed() < PATIENCE, "not all jobs run; the worker said:\n{}", worker.lines().join("\n"));
        sleep(Duration::from_millis(200)).await;
    }
    sleep(QUIET).await;
    let before = cpu(worker.pid())?;
    sleep(IDLE).await;
    let busy_cpu = percent(before, cpu(worker.pid())?);
    let (memory, peak) = (memory(worker.pid())?, peak(worker.pid())?);
    Ok(Resident {
        containers,
        memory,
        peak,
        memory_idle,
        ingest_cpu,
        worker_cpu,
        busy_cpu,
        memory_target: MEMORY_MIB,
        cpu_target: CPU_PERCENT,
        met: peak <= MEMORY_MIB && ingest_cpu.max(worker_cpu) < CPU_PERCENT,
    })
}

/// Percent of a core, by what was taken of it while nothing happened.
fn percent(before: Duration, now: Duration) -> f64 {
    now.saturating_sub(before).as_secs_f64() / IDLE.as_secs_f64() * 100.0
}

impl fmt::Display for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = IDLE.as_secs();
        writeln!(
            f,
            "{} running containers of a stand-in for Docker's API; MiB, and percent of a core over {seconds} s\n",
            self.containers
        )?;
        writeln!(f, "{:<38} {:>18} {:>18}", "", "memory (peak)", "processor")?;
        writeln!(f, "{:<38} {:>18} {:>18.2}", "ingest, idle", "-", self.ingest_cpu)?;
        writeln!(f, "{:<38} {:>18.1} {:>18.2}", "worker, idle", self.memory_idle, self.worker_cpu)?;
        let memory = format!("{:.1} ({:.1})", self.memory, self.peak);
        writeln!(
            f,
            "{:<38} {memory:>18} {:>18.2}\n",
            format!("worker, {} containers", self.containers),
            self.busy_cpu
        )?;
        let met = if self.met { "met" } else { "missed" };
        write!(f, "Target: at most {:.0} MiB, and idle below {:.0} %: {met}.", self.memory_target, self.cpu_target)
    }
}
