//! What came of the measurements, for people and for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::measure::Measured;

/// How long a look may take at the median, in milliseconds.
const TARGET_MILLIS: f64 = 100.0;

/// The figures, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    jobs: u64,
    stores: Vec<StoreFigures>,
    met: bool,
}

#[derive(Clone, Debug, Serialize)]
struct StoreFigures {
    name: String,
    looks: Vec<Figures>,
}

#[derive(Clone, Debug, Serialize)]
struct Figures {
    what: String,
    median: f64,
    slowest: f64,
}

impl Report {
    /// Sums up what was measured with so many jobs on record.
    pub(super) fn of(measured: &[Measured<'_>], jobs: u64) -> Self {
        let stores: Vec<StoreFigures> = measured.iter().map(StoreFigures::of).collect();
        let met = stores.iter().flat_map(|store| &store.looks).all(|look| look.median <= TARGET_MILLIS);
        Self { jobs, stores, met }
    }
}

impl StoreFigures {
    fn of(measured: &Measured<'_>) -> Self {
        let looks = measured.looks.iter().map(|look| {
            let mut times = look.times.clone();
            times.sort_unstable();
            let millis = |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
            Figures {
                what: look.what.clone(),
                median: millis(times.get(times.len() / 2)),
                slowest: millis(times.last()),
            }
        });
        Self { name: measured.store.name.clone(), looks: looks.collect() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for store in &self.stores {
            writeln!(f, "The queue on {}, with {} jobs on record\n", store.name, self.jobs)?;
            writeln!(f, "{:<28}{:>11}{:>12}", "", "median ms", "slowest ms")?;
            for Figures { what, median, slowest } in &store.looks {
                writeln!(f, "{what:<28}{median:>11.1}{slowest:>12.1}")?;
            }
            writeln!(f)?;
        }
        let verdict = if self.met { "met" } else { "missed" };
        write!(f, "At most {TARGET_MILLIS} ms at the median: {verdict}")
    }
}
