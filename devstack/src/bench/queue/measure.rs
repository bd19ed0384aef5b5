//! Measures the operations, in pools of different depths by turns.

use std::time::Duration;

use anyhow::bail;
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use shared::{
    model::{JobMessage, PoolName, WorkerName},
    queue::{Queue, QueueError, Reserved, Settlement},
};
use tokio::time::Instant;

use super::super::{
    jobs::{Jobs, fill, ids, open, parts, reserve},
    store::Store,
};

/// How many calls are under way at once: as many as an ingest may have.
const CALLERS: usize = 64;

/// How many jobs are made at once: a million of them would take the memory that is measured.
const PART: u64 = 10_000;

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
    /// How many bytes of the store each takes, where many wait.
    pub(super) bytes: Option<u64>,
}

/// What was measured of a store.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    pub(super) store: &'a Store,
    pub(super) depths: Vec<Depth>,
    /// From the call that enqueues to the answer with the lease, for a worker that waits.
    pub(super) wakes: Vec<Duration>,
    /// How long a job takes, reserved and settled by so many workers at once.
    pub(super) workers: Vec<(usize, Duration)>,
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Of each kind, in a round.
    pub(super) operations: u64,
    pub(super) rounds: u32,
}

/// Measures stores by turns, each in pools of so many jobs.
pub(super) async fn measure(stores: &[(Store, Vec<u64>)], effort: Effort) -> anyhow::Result<Vec<Measured<'_>>> {
    let mut jobs = Jobs::default();
    let mut measured = Vec::new();
    for (store, depths) in stores {
        let depths = filled(store, depths, &mut jobs).await?;
        measured.push(Measured { store, depths, wakes: Vec::new(), workers: Vec::new() });
    }
    for _ in 0..effort.rounds {
        for Measured { store, depths, .. } in &mut measured {
            for depth in depths {
                let first = jobs.make(&depth.pool, effort.operations)?;
                let second = jobs.make(&depth.pool, effort.operations)?;
                round(&store.queue, depth, first, second).await?;
            }
        }
    }
    for Measured { store, wakes, workers, .. } in &mut measured {
        *wakes = wake(&store.queue, &mut jobs).await?;
        for count in [1, 10, 100] {
            workers.push((count, share(&store.queue, &mut jobs, count, effort.operations).await?));
        }
    }
    Ok(measured)
}

/// Pools in which so many jobs wait.
async fn filled(store: &Store, depths: &[u64], jobs: &mut Jobs) -> anyhow::Result<Vec<Depth>> {
    let mut filled = Vec::new();
    for pending in depths {
        let pool: PoolName = format!("depth-{pending}").parse()?;
        open(&store.queue, &pool).await?;
        let before = store.used()?;
        for part in parts(*pending, PART) {
            fill(&store.queue, jobs.make(&pool, part)?).await?;
        }
        // With few, what the store needs anyway counts for too much.
        let bytes = (*pending >= 1000).then(|| store.used().map(|after| after.saturating_sub(before) / pending));
        let bytes = bytes.transpose()?;
        let [enqueue, reserve, settle, cancel] = [const { Vec::new() }; 4];
        filled.push(Depth { pool, pending: *pending, enqueue, reserve, settle, cancel, bytes });
    }
    Ok(filled)
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

fn done() -> Settlement {
    Settlement::Done { detail: "bench".to_owned() }
}

/// A worker waits, and is woken by a job, again and again.
async fn wake(queue: &Queue, jobs: &mut Jobs) -> anyhow::Result<Vec<Duration>> {
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
