//! What the worker counts.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use shared::{
    github::ENDPOINTS,
    model::{Caller, Heard, JobState, PoolName, Verdict},
    telemetry::Registry,
};

use crate::{cause::Cause, rate_limits::RateLimits, source::reconcile::Report, stages::Stage};

/// Upper bounds of the time from reservation to started container, in seconds.
const START_SECONDS: [f64; 10] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0];

/// Upper bounds of the time that a stage takes, in seconds: a job may wait for hours.
const STAGE_SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

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
    rate_limits: RateLimits,
    retries: Family<Retried, Counter>,
    stage_seconds: Family<Reached, Histogram, fn() -> Histogram>,
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
    endpoint: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Retried {
    cause: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Reached {
    pool: String,
    stage: &'static str,
}

/// How a call to GitHub can end; `lost`: no whole answer came; `held`: it was not made.
const STATUSES: [&str; 9] = ["2xx", "401", "403", "404", "4xx", "5xx", "limited", "lost", "held"];

/// What a call is counted as that is none of those there are.
const OTHER: &str = "other";

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
            rate_limits: RateLimits::default(),
            retries: Family::default(),
            stage_seconds: Family::new_with_constructor(|| Histogram::new(STAGE_SECONDS)),
        };
        metrics.begin();
        metrics.register(registry);
        metrics
    }

    /// Has the series that can be known there from the start, at nothing: a rate needs a first value.
    fn begin(&self) {
        for (endpoint, status) in ENDPOINTS.into_iter().flat_map(|endpoint| STATUSES.map(|status| (endpoint, status))) {
            drop(self.github_calls.get_or_create(&Called { endpoint, status }));
        }
        for cause in Cause::ALL {
            drop(self.retries.get_or_create(&Retried { cause: cause.as_str() }));
        }
        for state in SETTLED {
            drop(self.settled.get_or_create(&Settled { state: state.as_str() }));
        }
        self.reconciled(&Report::default());
    }

    fn register(&self, registry: &Registry) {
        let Self { settled, start_seconds, runners, engine_up, audit_repairs, .. } = self.clone();
        let Self { reconciled, github_calls, rate_limits, retries, stage_seconds, .. } = self.clone();
        registry.register(|registry| {
            registry.register("jobs_settled", "Leases that ended, by the job's state afterwards", settled);
            registry.register("start_seconds", "From a job's reservation to its started container", start_seconds);
            registry.register("runners", "Runners that this worker looks after", runners);
            registry.register("audit_repairs", "Contradictions in the queue that an audit repaired", audit_repairs);
            registry.register("reconciled", "What a comparison with GitHub put right", reconciled);
            registry.register("github_calls", "Calls to GitHub, by kind and by what came of them", github_calls);
            registry.register_collector(Box::new(rate_limits));
            registry.register("retries", "Attempts that came to nothing and are made again, by cause", retries);
            registry.register("stage_seconds", "From one stage of a job's runner to the next", stage_seconds);
            registry.register("engine_up", "Whether the container engine answers", engine_up);
        });
    }

    /// Has the series of these pools there.
    pub fn serves(&self, pools: &[PoolName]) {
        for (pool, stage) in pools.iter().flat_map(|pool| Stage::ALL.map(|stage| (pool, stage))) {
            drop(self.stage_seconds.get_or_create(&Reached { pool: pool.to_string(), stage: stage.as_str() }));
        }
    }

    /// A job's runner reached a stage, so long after the one before.
    pub fn reached(&self, pool: &PoolName, stage: Stage, after: Duration) {
        let reached = Reached { pool: pool.to_string(), stage: stage.as_str() };
        self.stage_seconds.get_or_create(&reached).observe(after.as_secs_f64());
    }

    /// An attempt came to nothing, and is made again.
    pub fn retried(&self, cause: Cause) {
        self.retries.get_or_create(&Retried { cause: cause.as_str() }).inc();
    }

    /// A lease ended, and its job is in `state`.
    pub fn settled(&self, state: JobState) {
        self.settled.get_or_create(&Settled { state: state.as_str() }).inc();
    }

    /// A call to GitHub was answered so.
    pub fn called_github(&self, caller: &Caller, heard: &Heard) {
        self.called(&heard.endpoint, status(heard));
        self.rate_limits.learn(caller, heard);
    }

    /// A call to GitHub was held back.
    pub fn held_back(&self, endpoint: &str) {
        self.called(endpoint, "held");
    }

    fn called(&self, endpoint: &str, status: &'static str) {
        let endpoint = ENDPOINTS.into_iter().find(|known| *known == endpoint).unwrap_or(OTHER);
        self.github_calls.get_or_create(&Called { endpoint, status }).inc();
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

fn status(heard: &Heard) -> &'static str {
    match (&heard.verdict, heard.status) {
        (Verdict::Limited { .. }, _) => "limited",
        (_, Some(200..=299)) => "2xx",
        (_, Some(401)) => "401",
        (_, Some(403)) => "403",
        (_, Some(404)) => "404",
        (_, Some(400..=499)) => "4xx",
        (_, Some(_)) => "5xx",
        (_, None) => "lost",
    }
}
