//! What came of the measurements, for people and for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::measure::{Depth, Measured};

/// How many times as much an operation may take with many jobs waiting as with few.
const RATIO_TARGET: f64 = 1.5;

/// How many bytes a waiting job may take.
const BYTES_TARGET: u64 = 3 * 1024;

/// The figures. Times are microseconds per operation, at the median of the rounds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    operations: u64,
    stores: Vec<StoreFigures>,
    met: bool,
}

/// The figures of one store.
#[derive(Clone, Debug, Serialize)]
struct StoreFigures {
    name: String,
    rounds: usize,
    depths: Vec<Figures>,
    /// From the call that enqueues to the lease, for a worker that waits: at the median, for 99 of 100, and the longest.
    wake_micros: [f64; 3],
    /// How many jobs so many workers reserve and settle in a second.
    workers: Vec<(usize, f64)>,
}

/// The figures of one depth.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    pending: u64,
    operations: Vec<Operation>,
    bytes_per_job: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct Operation {
    name: &'static str,
    micros: f64,
    per_second: f64,
    /// How many times as much as at the first depth, in the same round, at the median.
    ratio: f64,
}

impl Report {
    /// Sums up what was measured with so many operations of a kind in a round.
    pub(super) fn of(measured: &[Measured<'_>], operations: u64) -> Self {
        let stores: Vec<StoreFigures> = measured.iter().map(StoreFigures::of).collect();
        let met = stores.iter().flat_map(|store| &store.depths).all(Figures::met);
        Self { operations, stores, met }
    }
}

impl StoreFigures {
    fn of(measured: &Measured<'_>) -> Self {
        let first = &measured.depths[0];
        let mut wakes: Vec<f64> = measured.wakes.iter().map(|wake| micros(*wake)).collect();
        wakes.sort_by(f64::total_cmp);
        Self {
            name: measured.store.name.clone(),
            rounds: first.enqueue.len(),
            depths: measured.depths.iter().map(|depth| Figures::of(depth, first)).collect(),
            wake_micros: [at(&wakes, 50), at(&wakes, 99), at(&wakes, 100)],
            workers: measured.workers.iter().map(|(count, each)| (*count, each.as_secs_f64().recip())).collect(),
        }
    }
}

impl Figures {
    fn of(depth: &Depth, first: &Depth) -> Self {
        let operation = |name, times: &[Duration], of_first: &[Duration]| {
            let micros_of = |times: &[Duration]| times.iter().map(|time| micros(*time)).collect::<Vec<f64>>();
            let (times, of_first) = (micros_of(times), micros_of(of_first));
            let ratios = times.iter().zip(&of_first).map(|(time, of_first)| time / of_first).collect();
            let micros = median(times);
            Operation { name, micros, per_second: 1e6 / micros, ratio: median(ratios) }
        };
        Self {
            pending: depth.pending,
            operations: vec![
                operation("enqueue", &depth.enqueue, &first.enqueue),
                operation("reserve", &depth.reserve, &first.reserve),
                operation("settle", &depth.settle, &first.settle),
                operation("cancel", &depth.cancel, &first.cancel),
            ],
            bytes_per_job: depth.bytes,
        }
    }

    fn met(&self) -> bool {
        self.operations.iter().all(|operation| operation.ratio <= RATIO_TARGET)
            && self.bytes_per_job.is_none_or(|bytes| bytes <= BYTES_TARGET)
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    at(&values, 50)
}

/// The value that so many of a hundred lie below.
fn at(sorted: &[f64], percent: usize) -> f64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for store in &self.stores {
            writeln!(
                f,
                "The queue on {}: medians of {} rounds of {} operations, 64 at a time\n",
                store.name, store.rounds, self.operations
            )?;
            writeln!(f, "{store}")?;
        }
        let verdict = if self.met { "met" } else { "missed" };
        write!(
            f,
            "At most {RATIO_TARGET} times the cost at the first depth, and {BYTES_TARGET} bytes per job: {verdict}"
        )
    }
}

impl fmt::Display for StoreFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9}  {:<9}{:>9}{:>11}{:>8}", "pending", "operation", "us each", "per second", "ratio")?;
        for depth in &self.depths {
            for operation in &depth.operations {
                let Operation { name, micros, per_second, ratio } = operation;
                writeln!(f, "{:>9}  {name:<9}{micros:>9.1}{per_second:>11.0}{ratio:>8.2}", depth.pending)?;
            }
        }
        writeln!(f)?;
        for depth in &self.depths {
            if let Some(bytes) = depth.bytes_per_job {
                writeln!(f, "{bytes} bytes per waiting job, with {} of them", depth.pending)?;
            }
        }
        let [median, p99, most] = self.wake_micros;
        writeln!(f, "A waiting worker has its job after {median:.0} us (p99 {p99:.0}, at most {most:.0})")?;
        for (count, per_second) in &self.workers {
            writeln!(f, "{count:>3} workers reserve and settle {per_second:.0} jobs a second")?;
        }
        Ok(())
    }
}
