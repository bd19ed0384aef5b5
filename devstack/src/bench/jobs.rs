//! Jobs to measure with.

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    model::{JobId, JobMessage, Pool, PoolName, WorkerName},
    pools,
    queue::{Lease, Queue, QueueError, Reserved},
    settings::Environment,
};

/// How many repositories the jobs are of.
const REPOSITORIES: u64 = 100;

/// How many calls are under way at once while a pool is filled.
const FILLING: usize = 256;

/// Jobs that are not there yet, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    last: u64,
}

impl Jobs {
    /// So many new jobs of a pool, as long as those of real workflows are.
    pub(super) fn make(&mut self, pool: &PoolName, count: u64) -> anyhow::Result<Vec<JobMessage>> {
        (0..count)
            .map(|_| {
                self.last += 1;
                message(pool, self.last)
            })
            .collect()
    }
}

fn message(pool: &PoolName, number: u64) -> anyhow::Result<JobMessage> {
    let repository = format!("octo-organization/repository-{:03}", number % REPOSITORIES);
    let id = 41_000_000_000 + number;
    Ok(JobMessage {
        job_id: id.to_string().parse()?,
        run_id: 15_000_000_000 + number,
        run_attempt: 1,
        name: "build (ubuntu-24.04, stable, x86_64-unknown-linux-gnu)".to_owned(),
        workflow: Some("Continuous integration".to_owned()),
        html_url: Some(format!("https://github.com/{repository}/actions/runs/15{number:09}/job/{id}")),
        repository: Some(repository.parse()?),
        scope: repository.parse()?,
        labels: "self-hosted,linux,x64".parse()?,
        pool: pool.clone(),
        installation_id: None,
        delivery: format!("{number:08x}-7d7e-11ef-8000-000000000000").parse()?,
        trace: None,
    })
}

/// Tells the queue a limit that is never reached: without one it starts nothing.
pub(super) async fn open(queue: &Queue, pool: &PoolName) -> anyhow::Result<()> {
    let (_, usual) = pools::load(&mut Environment::of([("RUNNER_MAX_RUNNERS", "10000")]));
    let usual = usual.now();
    let usual = usual.iter().next().context("there is no default pool")?;
    Ok(queue.set_limit(&Pool { name: pool.clone(), ..usual.clone() }).await?)
}

/// Puts jobs into the queue, as fast as it goes.
pub(super) async fn fill(queue: &Queue, jobs: Vec<JobMessage>) -> Result<(), QueueError> {
    let calls = stream::iter(jobs).map(async |job| queue.enqueue(&job).await.map(drop));
    calls.buffer_unordered(FILLING).try_collect().await
}

/// The ids of jobs.
pub(super) fn ids(jobs: &[JobMessage]) -> Vec<JobId> {
    jobs.iter().map(|job| job.job_id).collect()
}

/// So many jobs in parts of at most so many.
pub(super) fn parts(count: u64, most: u64) -> impl Iterator<Item = u64> {
    (0..count.div_ceil(most)).map(move |part| most.min(count - part * most))
}

/// Reserves a job, of which there is one.
pub(super) async fn reserve(queue: &Queue, pool: &PoolName, worker: &WorkerName) -> Result<Lease, QueueError> {
    loop {
        if let Reserved::Job(lease) = queue.reserve(pool, worker).await? {
            return Ok(*lease);
        }
    }
}
