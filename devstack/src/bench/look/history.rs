//! A queue that has been at work for a while.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    model::{JobId, PoolName, WorkerName},
    queue::{Lease, Queue, Settlement},
};

use super::super::jobs::{Jobs, fill, ids, open, parts, reserve};

/// The pools that the jobs are of, by turns.
const POOLS: u64 = 5;

/// How many jobs are in hand at once while the queue is filled.
const PART: u64 = 2000;

/// How many calls are under way at once.
const CALLERS: usize = 64;

/// Of so many jobs, the last one fails, and the one before it waits for its next attempt.
const ODD: usize = 20;

/// What there is to look at.
#[derive(Debug)]
pub(super) struct History {
    /// A job that waits, one that is a dead letter, and one that is done.
    pub(super) shown: [JobId; 3],
}

/// Fills a queue with so many jobs: one of ten waits, one of twenty has failed for good, one of twenty is delayed, and the
/// others are done.
pub(super) async fn fill_history(queue: &Queue, count: u64) -> anyhow::Result<History> {
    let (mut jobs, worker) = (Jobs::default(), WorkerName::try_from("bench".to_owned())?);
    let mut shown = [None; 3];
    let waiting = count / 10;
    for (number, part) in parts(count - waiting, PART).enumerate() {
        let pool = pool(u64::try_from(number)? % POOLS)?;
        open(queue, &pool).await?;
        fill(queue, jobs.make(&pool, part)?).await?;
        let reserved = stream::iter(0..part).map(|_| reserve(queue, &pool, &worker)).buffer_unordered(CALLERS);
        let leases: Vec<Lease> = reserved.try_collect().await?;
        shown[1] = leases.get(ODD - 1).map(Lease::job_id).or(shown[1]);
        shown[2] = leases.first().map(Lease::job_id).or(shown[2]);
        let settle = leases.into_iter().enumerate().map(|(number, lease)| queue.settle(lease, settlement(number)));
        stream::iter(settle).buffer_unordered(CALLERS).try_collect::<Vec<_>>().await?;
    }
    for number in 0..POOLS {
        let pool = pool(number)?;
        let waiting = jobs.make(&pool, waiting / POOLS)?;
        shown[0] = ids(&waiting).last().copied().or(shown[0]);
        fill(queue, waiting).await?;
    }
    let [Some(waits), Some(dead), Some(done)] = shown else { anyhow::bail!("{count} jobs are too few") };
    Ok(History { shown: [waits, dead, done] })
}

fn pool(number: u64) -> anyhow::Result<PoolName> {
    Ok(format!("pool-{number}").parse()?)
}

/// How the so-manieth job of a part ends.
fn settlement(number: usize) -> Settlement {
    let error = "the engine cannot create a container: no such image: ghcr.io/octo/runner:mistyped".to_owned();
    match number % ODD {
        odd if odd == ODD - 1 => Settlement::Dead { error },
        odd if odd == ODD - 2 => Settlement::Retry { delay: Duration::from_hours(1), error },
        _ => Settlement::Done { detail: "bench".to_owned() },
    }
}
