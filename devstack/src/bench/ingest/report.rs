//! What came of the measurements, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::{
    super::figures::median,
    contender::Contender,
    extremes::{BURST, Extremes},
    measure::{Run, Sending},
    minimal::Step,
};

/// The least of the minimal server's rate that `ingest` is to have.
const RATE_TARGET: f64 = 0.85;
/// How many times the minimal server's p99 that of `ingest` may be at most.
const P99_TARGET: f64 = 2.0;
/// How many times the rate of good deliveries that of forged ones is to be at least.
const FORGED_TARGET: f64 = 1.5;
/// The most memory, in MiB.
const MEMORY_TARGET: f64 = 32.0;
/// The longest that an answer in a burst may take, in milliseconds.
const BURST_TARGET: f64 = 1000.0;

/// The figures: medians of the rounds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    rounds: usize,
    deliveries: u32,
    connections: u64,
    body_bytes: usize,
    rows: Vec<Row>,
    /// Of `ingest`, against each of the two minimal servers that store deliveries; in the same round, at the median.
    against: Vec<Against>,
    forged_ratio: f64,
    memory: Memory,
    /// The burst's p50, p99 and longest answer, in milliseconds.
    burst_millis: [f64; 3],
    targets: Vec<Target>,
}

/// One contender.
#[derive(Clone, Debug, Serialize)]
struct Row {
    name: String,
    per_second: f64,
    /// Microseconds of a core for each delivery: of the server, and of Redis.
    server_micros: f64,
    redis_micros: f64,
    p50_millis: f64,
    p99_millis: f64,
    p999_millis: f64,
    memory_mib: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Against {
    name: String,
    rate: f64,
    server: f64,
    p99: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Memory {
    deliveries: u32,
    connections: u64,
    mib: f64,
    peak_mib: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Target {
    what: String,
    is: f64,
    bound: f64,
    met: bool,
}

impl Report {
    /// Sums up what was measured.
    pub(super) fn of(
        all: &[(Contender, Vec<Run>)],
        extremes: &Extremes,
        sending: Sending<'_>,
        body_bytes: usize,
    ) -> Self {
        let runs = |wanted: Contender| {
            all.iter().find(|(contender, _)| *contender == wanted).map_or(&[][..], |(_, runs)| &runs[..])
        };
        let ingest = runs(Contender::Ingest);
        let against = [Step::Push, Step::Enqueue].map(Contender::Minimal);
        let against = against.map(|contender| Against::of(contender, ingest, runs(contender))).to_vec();
        let forged_ratio = ratio(runs(Contender::Forged), ingest, Run::per_second);
        let memory = Memory {
            deliveries: extremes.deliveries,
            connections: extremes.connections,
            mib: extremes.memory,
            peak_mib: extremes.peak,
        };
        let burst_millis = [extremes.burst.p50, extremes.burst.p99, extremes.burst.max].map(millis);
        let at_least = |what: &str, is, bound| Target { what: what.to_owned(), is, bound, met: is >= bound };
        let at_most = |what: &str, is, bound| Target { what: what.to_owned(), is, bound, met: is <= bound };
        let mut targets = Vec::new();
        for one in &against {
            targets.push(at_least(&format!("rate against {:?}, at least", one.name), one.rate, RATE_TARGET));
            targets.push(at_most(&format!("p99 against {:?}, at most", one.name), one.p99, P99_TARGET));
        }
        targets.push(at_least("forged against good deliveries, at least", forged_ratio, FORGED_TARGET));
        targets.push(at_most("MiB after the many deliveries, at most", memory.mib, MEMORY_TARGET));
        targets.push(at_most("longest answer in the burst in ms, at most", burst_millis[2], BURST_TARGET));
        Self {
            rounds: ingest.len(),
            deliveries: sending.deliveries,
            connections: sending.connections,
            body_bytes,
            rows: all.iter().map(|(contender, runs)| Row::of(*contender, runs)).collect(),
            against,
            forged_ratio,
            memory,
            burst_millis,
            targets,
        }
    }
}

impl Row {
    fn of(contender: Contender, runs: &[Run]) -> Self {
        let figure = |of: &dyn Fn(&Run) -> f64| median(runs.iter().map(of));
        Self {
            name: contender.to_string(),
            per_second: figure(&Run::per_second),
            server_micros: figure(&Run::server_micros),
            redis_micros: figure(&|run| run.redis.as_secs_f64() * 1e6 / f64::from(run.deliveries)),
            p50_millis: figure(&|run| millis(run.answered.p50)),
            p99_millis: figure(&Run::p99),
            p999_millis: figure(&|run| millis(run.answered.p999)),
            memory_mib: figure(&|run| run.memory),
        }
    }
}

impl Against {
    fn of(contender: Contender, ingest: &[Run], other: &[Run]) -> Self {
        Self {
            name: contender.to_string(),
            rate: ratio(ingest, other, Run::per_second),
            server: ratio(ingest, other, Run::server_micros),
            p99: ratio(ingest, other, Run::p99),
        }
    }
}

impl Run {
    fn per_second(&self) -> f64 {
        f64::from(self.deliveries) / self.answered.seconds
    }

    fn server_micros(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / f64::from(self.deliveries)
    }

    fn p99(&self) -> f64 {
        millis(self.answered.p99)
    }
}

/// How many times as much, round by round, at the median.
fn ratio(of: &[Run], to: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| figure(of) / figure(to)))
}

fn millis(micros: u32) -> f64 {
    f64::from(micros) / 1e3
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rounds of {} deliveries of {} bytes over {} connections; server on one core, sender and Redis (appendfsync \
             always) on another; medians\n",
            self.rounds, self.deliveries, self.body_bytes, self.connections
        )?;
        let head = ["requests/s", "server µs", "redis µs", "p50 ms", "p99 ms", "p99.9 ms", "MiB"];
        write!(f, "{:<36}", "")?;
        head.iter().try_for_each(|name| write!(f, " {name:>10}"))?;
        for row in &self.rows {
            write!(f, "\n{:<36} {:>10.0}", row.name, row.per_second)?;
            write!(f, " {:>10.1} {:>10.1}", row.server_micros, row.redis_micros)?;
            write!(f, " {:>10.2} {:>10.2} {:>10.2}", row.p50_millis, row.p99_millis, row.p999_millis)?;
            write!(f, " {:>10.1}", row.memory_mib)?;
        }
        writeln!(f, "\n")?;
        for Against { name, rate, server, p99 } in &self.against {
            writeln!(
                f,
                "ingest against {name:?}: {rate:.2} of its rate, {server:.2} times its time on the core, {p99:.2} times its p99"
            )?;
        }
        let Memory { deliveries, connections, mib, peak_mib } = &self.memory;
        writeln!(
            f,
            "After {deliveries} deliveries over {connections} connections: {mib:.1} MiB, {peak_mib:.1} at the most"
        )?;
        let [p50, p99, longest] = self.burst_millis;
        writeln!(f, "{BURST} deliveries within a second: p50 {p50:.2} ms, p99 {p99:.2} ms, longest {longest:.1} ms\n")?;
        for Target { what, is, bound, met } in &self.targets {
            writeln!(f, "{:<6} {what} {bound}: {is:.2}", if *met { "met" } else { "missed" })?;
        }
        Ok(())
    }
}
