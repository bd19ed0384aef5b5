//! Measures the operations, in pools of different depths by turns.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use shared::{
    model::{JobMessage, PoolName, WorkerName},
    queue::{Lease, Queue, QueueError, Reserved, Settlement},
};
use tokio::time::Instant;

use super::jobs::{Jobs, fill, ids, open};
use crate::harness::RedisServer;

/// How many calls are under way at once: as many as an ingest may have.
const CALLERS: usize = 64;

/// How many jobs a worker is woken for, one after the other.
const WAKES: u32 = 300;

/// What was measured of a pool.
#[derive(Debug)]
pub(super) struct Depth {
    pub(super) pool: PoolName,
    /// How many jobs wait there all the time.
    pub(super) pending: u64,
    /// How long one takes, on average, round by round.
    pub(super) enqueue: Vec<Duration>,
    pub(super) reserve: Vec<Duration>,
    pub(super) settle: Vec<Duration>,
    pub(super) cancel: Vec<Duration>,
    /// How many bytes of the store's memory each takes, where many wait.
    pub(super) bytes: Option<u64>,
}

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) operations: u64,
    pub(super) depths: Vec<Depth>,
    /// From the call that enqueues to the answer with the lease, for a worker that waits.
    pub(super) wakes: Vec<Duration>,
    /// How long a job takes, reserved and settled by so many workers at once.
    pub(super) workers: Vec<(usize, Duration)>,
}

/// Measures operations in rounds of `operations` each.
pub(super) async fn measure(
    redis: &RedisServer,
    queue: &Queue,
    depths: &[u64],
    operations: u64,
    rounds: u32,
) -> anyhow::Result<Measured> {
    let mut jobs = Jobs::default();
    let mut measured = Vec::new();
    for pending in depths {
        let pool: PoolName = format!("depth-{pending}").parse()?;
        open(queue, &pool).await?;
        let before = memory(redis)?;
        for part in parts(*pending) {
            fill(queue, jobs.make(&pool, part)?).await?;
        }
        // With few, what the store needs anyway counts for too much.
        let bytes = (*pending >= 1000).then(|| memory(redis).map(|after| after.saturating_sub(before) / pending));
        let bytes = bytes.transpose()?;
        let [enqueue, reserve, settle, cancel] = [const { Vec::new() }; 4];
        measured.push(Depth { pool, pending: *pending, enqueue, reserve, settle, cancel, bytes });
    }
    for _ in 0..rounds {
        for depth in &mut measured {
            let first = jobs.make(&depth.pool, operations)?;
            let second = jobs.make(&depth.pool, operations)?;
            round(queue, depth, first, second).await?;
        }
    }
    let wakes = wakes(queue, &mut jobs).await?;
    let mut workers = Vec::new();
    for count in [1, 10, 100] {
        workers.push((count, share(queue, &mut jobs, count, operations).await?));
    }
    Ok(Measured { operations, depths: measured, wakes, workers })
}

/// Jobs are made in parts: a million of them at once would take the memory that is measured.
fn parts(count: u64) -> impl Iterator<Item = u64> {
    const PART: u64 = 10_000;
    (0..count.div_ceil(PART)).map(move |part| PART.min(count - part * PART))
}

/// The operations in an order that leaves the pool as deep as it was.
async fn round(
    queue: &Queue,
    depth: &mut Depth,
    first: Vec<JobMessage>,
    second: Vec<JobMessage>,
) -> anyhow::Result<()> {
    let count = u32::try_from(first.len())?;
    let worker: WorkerName = "bench".parse()?;
    let start = Instant::now();
    many(first, |job| async move { queue.enqueue(&job).await }).await?;
    depth.enqueue.push(start.elapsed() / count);

    let start = Instant::now();
    let leases = many(0..count, |_| reserve(queue, &depth.pool, &worker)).await?;
    depth.reserve.push(start.elapsed() / count);
    let start = Instant::now();
    many(leases, |lease| queue.settle(lease, done())).await?;
    depth.settle.push(start.elapsed() / count);

    let cancelled = ids(&second);
    fill(queue, second).await?;
    let start = Instant::now();
    many(cancelled, |job| queue.cancel(&depth.pool, job, None, "bench")).await?;
    depth.cancel.push(start.elapsed() / count);
    if depth.pending == 0 {
        // What was cancelled is passed over when its turn comes: here, at once.
        while matches!(queue.reserve(&depth.pool, &worker).await?, Reserved::Again) {}
    }
    Ok(())
}

async fn many<I, T, F: Future<Output = Result<T, QueueError>>>(
    items: impl IntoIterator<Item = I>,
    call: impl FnMut(I) -> F,
) -> Result<Vec<T>, QueueError> {
    stream::iter(items).map(call).buffer_unordered(CALLERS).try_collect().await
}

async fn reserve(queue: &Queue, pool: &PoolName, worker: &WorkerName) -> Result<Lease, QueueError> {
    loop {
        if let Reserved::Job(lease) = queue.reserve(pool, worker).await? {
            return Ok(*lease);
        }
    }
}

fn done() -> Settlement {
    Settlement::Done { detail: "bench".to_owned() }
}

/// A worker waits, and is woken by a job, again and again.
async fn wakes(queue: &Queue, jobs: &mut Jobs) -> anyhow::Result<Vec<Duration>> {
    let pool: PoolName = "wakes".parse()?;
    open(queue, &pool).await?;
    let worker: WorkerName = "bench".parse()?;
    let pools = [pool.clone()];
    let mut wakes = Vec::new();
    for job in jobs.make(&pool, WAKES.into())? {
        while !matches!(queue.reserve(&pool, &worker).await?, Reserved::Empty { .. }) {}
        let waits = async {
            loop {
                queue.wait(&pools, Duration::from_secs(5)).await?;
                if let Reserved::Job(lease) = queue.reserve(&pool, &worker).await? {
                    return Ok::<_, QueueError>((Instant::now(), lease));
                }
            }
        };
        let enqueues = async {
            tokio::time::sleep(Duration::from_millis(2)).await; // the worker waits by then
            let start = Instant::now();
            queue.enqueue(&job).await.map(|_| start)
        };
        let ((reserved, lease), start) = tokio::try_join!(waits, enqueues)?;
        wakes.push(reserved - start);
        queue.settle(*lease, done()).await?;
    }
    Ok(wakes)
}

/// So many workers share the jobs of a pool.
async fn share(queue: &Queue, jobs: &mut Jobs, workers: usize, count: u64) -> anyhow::Result<Duration> {
    let pool: PoolName = format!("workers-{workers}").parse()?;
    open(queue, &pool).await?;
    fill(queue, jobs.make(&pool, count)?).await?;
    let start = Instant::now();
    let work = (0..workers).map(async |number| {
        let name: WorkerName = format!("bench-{number}").parse()?;
        let mut served = 0;
        loop {
            match queue.reserve(&pool, &name).await? {
                Reserved::Job(lease) => drop(queue.settle(*lease, done()).await?),
                Reserved::Again => continue,
                Reserved::Empty { .. } => return anyhow::Ok(served),
                other => bail!("the queue should have a job, not {other:?}"),
            }
            served += 1;
        }
    });
    let served: u64 = try_join_all(work).await?.into_iter().sum();
    anyhow::ensure!(served == count, "{served} of {count} jobs were served");
    Ok(start.elapsed() / u32::try_from(count)?)
}

/// How many bytes of memory the store uses.
fn memory(redis: &RedisServer) -> anyhow::Result<u64> {
    let ask = "EVAL \"return tonumber(string.match(redis.call('INFO','memory'),'used_memory:(%d+)'))\" 0";
    let answer = redis.command(ask)?;
    answer.trim_start_matches(':').parse().with_context(|| format!("the memory that Redis uses is {answer:?}"))
}
