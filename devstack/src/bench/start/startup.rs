//! How long the processes take from their start until they are ready.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{super::figures::median, alone::Alone};

/// The most milliseconds that it may take, at the median.
const TARGET_MS: f64 = 300.0;

/// How often each is started.
const STARTS: usize = 5;

/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Milliseconds from the start of a process until `/readyz` answers 200; the median.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Startup {
    ingest: f64,
    worker: f64,
    target: f64,
    met: bool,
}

/// Starts each some times. They find the queue, GitHub and the engine there.
pub(super) async fn measure() -> anyhow::Result<Startup> {
    let alone = Alone::new(1)?;
    let (mut ingest, mut worker) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        for (program, times) in [(&alone.ingest, &mut ingest), (&alone.worker, &mut worker)] {
            let (mut process, took) = program.start().await?;
            times.push(took.as_secs_f64() * 1000.0);
            process.stop(PATIENCE).await?;
        }
    }
    let [ingest, worker] = [ingest, worker].map(|times| median(times.into_iter()));
    Ok(Startup { ingest, worker, target: TARGET_MS, met: ingest.max(worker) <= TARGET_MS })
}

impl fmt::Display for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "From the start of a process until it is ready; milliseconds, the median of {STARTS}\n")?;
        writeln!(f, "{:<38} {:>18.0}", "ingest", self.ingest)?;
        writeln!(f, "{:<38} {:>18.0}\n", "worker", self.worker)?;
        let met = if self.met { "met" } else { "missed" };
        write!(f, "Target: at most {:.0} ms: {met}.", self.target)
    }
}
