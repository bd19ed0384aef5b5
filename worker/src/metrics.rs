//! What the worker counts.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use shared::{model::JobState, telemetry::Registry};

use crate::source::reconcile::Report;

/// Upper bounds of the time from reservation to started container, in seconds.
const START_SECONDS: [f64; 10] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0];

/// What the worker counts. Clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    settled: Family<Settled, Counter>,
    start_seconds: Histogram,
    runners: Gauge,
    engine_up: Gauge,
    audit_repairs: Counter,
    reconciled: Family<Reconciled, Counter>,
    github_calls: Family<Called, Counter>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Settled {
    state: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Reconciled {
    what: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Called {
    outcome: &'static str,
}

/// How a call to GitHub can end; `held`: it was not made.
const CALLED: [&str; 5] = ["ok", "refused", "failed", "limited", "held"];

/// The states that a settled job can be in.
const SETTLED: [JobState; 5] =
    [JobState::Done, JobState::Delayed, JobState::Pending, JobState::Dead, JobState::Cancelled];

impl Metrics {
    /// Registers the metrics, all at nothing.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        let metrics = Self {
            settled: Family::default(),
            start_seconds: Histogram::new(START_SECONDS),
            runners: Gauge::default(),
            engine_up: Gauge::default(),
            audit_repairs: Counter::default(),
            reconciled: Family::default(),
            github_calls: Family::default(),
        };
        for outcome in CALLED {
            drop(metrics.github_calls.get_or_create(&Called { outcome }));
        }
        for state in SETTLED {
            drop(metrics.settled.get_or_create(&Settled { state: state.as_str() }));
        }
        metrics.reconciled(&Report::default());
        registry.register(|registry| {
            let Self { settled, start_seconds, runners, engine_up, audit_repairs, reconciled, github_calls } =
                metrics.clone();
            registry.register("jobs_settled", "Leases that ended, by the job's state afterwards", settled);
            registry.register("start_seconds", "From a job's reservation to its started container", start_seconds);
            registry.register("runners", "Runners that this worker looks after", runners);
            registry.register("audit_repairs", "Contradictions in the queue that an audit repaired", audit_repairs);
            registry.register("reconciled", "What a comparison with GitHub put right", reconciled);
            registry.register("github_calls", "Calls to GitHub, by what came of them", github_calls);
            registry.register("engine_up", "Whether the container engine answers", engine_up);
        });
        metrics
    }

    /// A lease ended, and its job is in `state`.
    pub fn settled(&self, state: JobState) {
        self.settled.get_or_create(&Settled { state: state.as_str() }).inc();
    }

    /// A call to GitHub ended so, or was held back.
    pub fn called_github(&self, outcome: &'static str) {
        self.github_calls.get_or_create(&Called { outcome }).inc();
    }

    /// An audit made so many repairs.
    pub fn audited(&self, repairs: u64) {
        self.audit_repairs.inc_by(repairs);
    }

    /// A comparison with GitHub did that.
    pub fn reconciled(&self, report: &Report) {
        for (what, count) in report.counts() {
            self.reconciled.get_or_create(&Reconciled { what }).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// A container was started so long after its job was reserved.
    pub fn started(&self, after: Duration) {
        self.start_seconds.observe(after.as_secs_f64());
    }

    /// What is to be seen now.
    pub fn observe(&self, runners: usize, engine_up: bool) {
        self.runners.set(i64::try_from(runners).unwrap_or(i64::MAX));
        self.engine_up.set(i64::from(engine_up));
    }
}
