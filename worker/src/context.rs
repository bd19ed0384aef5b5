//! What every task of the worker needs.

use std::{sync::Arc, time::Duration};

use shared::{
    github::Github,
    model::{RunnerNamePrefix, WorkerName},
    queue::Queue,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    engine::EngineHealth,
    governor::QueueGovernor,
    keeper::Keeper,
    metrics::Metrics,
    provider::{Provider, ProviderError},
    served::ServedPools,
};

/// What every task of the worker needs. Shared by all of them.
#[derive(Debug)]
pub struct Context<P> {
    /// The queue.
    pub queue: Queue,
    /// GitHub.
    pub github: Github,
    /// Keeps the calls of all workers to GitHub within its limits.
    pub governor: Arc<QueueGovernor>,
    /// What runs the containers.
    pub provider: P,
    /// Turns to have the engine make and start a container: more at once make it no faster.
    pub starts: Semaphore,
    /// The pools, and which of them this worker serves.
    pub pools: ServedPools,
    /// This worker.
    pub worker: WorkerName,
    /// What the names of runners begin with.
    pub prefix: RunnerNamePrefix,
    /// A job that waited longer is given up.
    pub autoscale_timeout: Duration,
    /// Keeps the leases.
    pub keeper: Arc<Keeper>,
    /// Whether the engine is there.
    pub engine: Arc<EngineHealth>,
    /// What is counted.
    pub metrics: Metrics,
    /// Cancelled when the worker stops: what need not be waited for is left to the next one.
    pub stopping: CancellationToken,
    /// Cancelled when tasks are to leave their runners to the next worker.
    pub leave: CancellationToken,
}

impl<P: Provider> Context<P> {
    /// Hands on the answer of a call to the provider, having taken note of what an error says of the engine.
    ///
    /// # Errors
    ///
    /// The one it is given.
    pub fn report<T>(&self, result: Result<T, ProviderError>) -> Result<T, ProviderError> {
        result.inspect_err(|error| self.engine.report(error))
    }
}
