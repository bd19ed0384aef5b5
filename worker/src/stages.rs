//! How long each stage on the way to a job's runner takes.

use shared::{model::PoolName, queue::Lease};
use tokio::time::Instant;

use crate::metrics::Metrics;

/// How far a job's runner has got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// A worker holds the job, since it was delivered or replayed.
    Reserved,
    /// The runner is registered.
    Registered,
    /// Its container is started.
    Started,
    /// It listens for jobs.
    Listening,
    /// It works on one.
    Running,
}

impl Stage {
    /// All of them, in turn.
    pub const ALL: [Self; 5] = [Self::Reserved, Self::Registered, Self::Started, Self::Listening, Self::Running];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Registered => "registered",
            Self::Started => "started",
            Self::Listening => "listening",
            Self::Running => "running",
        }
    }
}

/// Measures the stages of an attempt. By default it measures nothing: of a runner that was started before, the time of its last
/// stage is not known.
#[derive(Debug, Default)]
pub struct Stages(Option<Measured>);

#[derive(Debug)]
struct Measured {
    metrics: Metrics,
    pool: PoolName,
    is_warm: bool,
    /// When the last stage was reached.
    since: Instant,
}

impl Stages {
    /// Of an attempt that begins. Only before a job's first one has it waited for nothing but a worker and a slot.
    #[must_use]
    pub fn reserved(metrics: &Metrics, lease: &Lease) -> Self {
        let is_warm = lease.job_id().is_warm();
        if !is_warm && lease.id().attempt == 1 {
            metrics.reached(lease.pool(), Stage::Reserved, lease.waited);
        }
        let (metrics, pool) = (metrics.clone(), lease.pool().clone());
        Self(Some(Measured { metrics, pool, is_warm, since: Instant::now() }))
    }

    /// The runner has reached a stage. One that is kept warm runs once there is a job for it, which says nothing of it.
    pub fn reached(&mut self, stage: Stage) {
        let Some(measured) = self.0.as_mut().filter(|it| !it.is_warm || stage != Stage::Running) else { return };
        measured.metrics.reached(&measured.pool, stage, measured.since.elapsed());
        measured.since = Instant::now();
    }
}
