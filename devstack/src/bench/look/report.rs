//! What came of the measurements, for people and for programs.

use std::{collections::BTreeSet, fmt, time::Duration};

use serde::Serialize;

use super::measure::Measured;

/// How long a look may take at the median, in milliseconds.
const TARGET_MILLIS: f64 = 100.0;

/// The figures, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    jobs: u64,
    stores: Vec<StoreFigures>,
    /// What took longer than it may, in any store.
    missed: BTreeSet<String>,
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
        let missed = stores.iter().flat_map(|store| &store.looks).filter(|look| look.median > TARGET_MILLIS);
        let missed = missed.map(|look| look.what.clone()).collect();
        Self { jobs, stores, missed }
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
        let missed: Vec<&str> = self.missed.iter().map(String::as_str).collect();
        let verdict = if missed.is_empty() { "met".to_owned() } else { format!("missed by {}", missed.join(", ")) };
        write!(f, "At most {TARGET_MILLIS} ms at the median: {verdict}")
    }
}
