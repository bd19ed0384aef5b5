//! What came of the measurements, for people and for programs.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use super::{super::figures::median, direct::Direct, measure::Measured};

/// The most milliseconds that a worker may take more than direct calls do, at the median: from the job's reservation to the engine's
/// answer to the call that starts the container.
const TARGET_MS: f64 = 10.0;

/// The figures, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// How many starts of each kind there were.
    rounds: usize,
    /// From the first call to the answer to the one that starts the container, made directly.
    direct: Spread,
    /// From the reservation (by the record, to the millisecond) to that answer, the stand-in's own time taken off.
    served: Spread,
    /// How much more that is, at the median.
    more: f64,
    /// How many times as much it is, at the median.
    ratio: f64,
    /// How much more, round by round: a quarter, half and three quarters of the rounds lie below. How far these are
    /// apart says how much of `more` is this machine's noise.
    more_by_round: [f64; 3],
    target: f64,
    met: bool,
    /// The parts of both.
    stages: Vec<Stage>,
}

/// Where half of the values, and nine of ten, lie below.
#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    median: f64,
    p90: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Stage {
    name: &'static str,
    served: Option<Spread>,
    direct: Option<Spread>,
}

impl Report {
    /// Sums up what was measured, which must be something.
    pub(super) fn of(measured: &Measured) -> Self {
        let served = |value: &dyn Fn(&super::measure::Served) -> f64| Spread::of(measured.served.iter().map(value));
        let direct = |value: &dyn Fn(&Direct) -> f64| Spread::of(measured.direct.iter().map(value));
        let github = |one: &super::measure::Served| one.github.as_secs_f64() * 1000.0;
        let stage = |name, served, direct| Stage { name, served, direct };
        let stages = vec![
            stage("202 to reserved (by the record)", Some(served(&|one| between(one.accepted, one.reserved))), None),
            stage("202 to GitHub asked", Some(served(&|one| between(one.accepted, one.asked))), None),
            stage("the stand-in's own time (taken off)", Some(served(&github)), None),
            stage(
                "from there to created",
                Some(served(&|one| between(one.asked, one.engine.created) - github(one))),
                Some(direct(&|one| between(one.begun, one.engine.created))),
            ),
            stage(
                "created to started, files written",
                Some(served(&|one| between(one.engine.created, one.engine.started))),
                Some(direct(&|one| between(one.engine.created, one.engine.started))),
            ),
            stage(
                "started to `start` answered",
                Some(served(&|one| between(one.engine.started, one.answered))),
                Some(direct(&|one| between(one.engine.started, one.answered))),
            ),
            stage(
                "all, from 202 to started",
                Some(served(&|one| between(one.accepted, one.engine.started) - github(one))),
                Some(direct(&|one| between(one.begun, one.engine.started))),
            ),
        ];
        let served_all = |one: &super::measure::Served| between(one.reserved, one.answered) - github(one);
        let direct_all = |one: &Direct| between(one.begun, one.answered);
        let pairs = measured.served.iter().zip(&measured.direct);
        let mut by_round: Vec<f64> = pairs.map(|(served, direct)| served_all(served) - direct_all(direct)).collect();
        by_round.sort_by(f64::total_cmp);
        let (served, direct) = (served(&served_all), direct(&direct_all));
        let more = served.median - direct.median;
        Self {
            rounds: measured.served.len(),
            direct,
            served,
            more,
            ratio: served.median / direct.median,
            more_by_round: [1, 2, 3].map(|quarter| by_round.get(by_round.len() * quarter / 4).copied().unwrap_or(0.0)),
            target: TARGET_MS,
            met: more <= TARGET_MS,
            stages,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} starts of each kind, in turns; milliseconds: median (nine of ten are below)\n", self.rounds)?;
        writeln!(f, "{:<38} {:>18} {:>18}", "", "through the worker", "direct calls")?;
        let cell = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), |spread| spread.to_string());
        for stage in &self.stages {
            writeln!(f, "{:<38} {:>18} {:>18}", stage.name, cell(stage.served), cell(stage.direct))?;
        }
        writeln!(
            f,
            "{:<38} {:>18} {:>18}\n",
            "reserved to `start` answered",
            cell(Some(self.served)),
            cell(Some(self.direct))
        )?;
        let [quarter, half, three] = self.more_by_round;
        writeln!(f, "Round by round {half:.1} ms more; in half of the rounds, between {quarter:.1} and {three:.1}.")?;
        write!(
            f,
            "At the median {:.1} ms more, {:.2} times as much. Target: at most {:.0} ms more: {}.",
            self.more,
            self.ratio,
            self.target,
            if self.met { "met" } else { "missed" }
        )
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        // The nearest rank: with ten values, the ninth.
        let p90 = values.get((values.len() * 9).div_ceil(10).saturating_sub(1)).copied().unwrap_or(f64::NAN);
        Self { median: median(values.into_iter()), p90 }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ({:.1})", self.median, self.p90)
    }
}

/// From `from` to `to`, negative if `to` was before.
fn between(from: OffsetDateTime, to: OffsetDateTime) -> f64 {
    (to - from).as_seconds_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_values_lie_below_the_median_and_nine_of_ten_below_p90() {
        let of = |values: &[f64]| {
            let Spread { median, p90 } = Spread::of(values.iter().copied());
            (median.to_bits(), p90.to_bits())
        };
        let bits = |median: f64, p90: f64| (median.to_bits(), p90.to_bits());
        assert_eq!(of(&[3.0, 1.0, 2.0]), bits(2.0, 3.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), bits(2.5, 4.0));
        assert_eq!(of(&[10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]), bits(5.5, 9.0));
    }
}
