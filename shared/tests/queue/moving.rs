//! Moves that are interrupted, and those while everybody goes on.

use std::{
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};

use futures_util::future::join_all;
use redis::{Value, cmd, from_redis_value};
use shared::{
    model::{JobId, JobMessage, JobState, PoolName},
    queue::{Moved, Queue, QueueError, Reserved, Settlement},
};
use tokio::time::sleep;

use crate::{
    crossover::{done, others, serve, started},
    moved::{nothing_to_repair, records},
    support::{TestQueue, connect, job, message, parse, told, until_it_works, worker},
};

/// More than one page of those that wait.
const WAITING: u64 = 230;

/// Moves until the move has waited `times` for one of the stores, then lets go of it: `None`, if it had not ended by then.
async fn cut(from: &Queue, to: &Queue, times: u32) -> Option<Result<Moved, QueueError>> {
    let mut left = times;
    let mut moving = pin!(from.move_to(to));
    poll_fn(|context| match moving.as_mut().poll(context) {
        Poll::Ready(moved) => Poll::Ready(Some(moved)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Jobs in every state, and a runner that took another job.
async fn everything() -> TestQueue {
    let test = TestQueue::new().await;
    for id in 1..=7 {
        test.enqueue(id).await;
    }
    let _starting = test.reserve("a").await;
    let _lent = started(&test, "a").await;
    serve(&test, 3, others(2), false).await;
    let _taken_again = test.reserve("a").await;
    let _running = started(&test, "a").await;
    for settlement in [
        done(),
        Settlement::Dead { error: "no".to_owned() },
        Settlement::Retry { delay: Duration::from_hours(1), error: "no".to_owned() },
    ] {
        let lease = test.reserve("a").await;
        test.queue.settle(lease, settlement).await.unwrap();
    }
    for id in 11..=WAITING {
        test.enqueue(id).await;
    }
    test
}

/// How many records there are in each state.
async fn counts(test: &TestQueue) -> BTreeMap<JobState, usize> {
    let mut counts = BTreeMap::new();
    for record in records(test).await {
        *counts.entry(record.state).or_default() += 1;
    }
    counts
}

/// The list of those that wait, as it stands in the store.
async fn waiting(test: &TestQueue) -> Vec<String> {
    from_redis_value(test.command("LRANGE gha:{default}:pending:octo/repo 0 -1").await).unwrap()
}

#[tokio::test]
async fn a_move_that_is_interrupted_anywhere_goes_on_when_it_is_repeated_and_nothing_is_doubled_or_lost() {
    let (test, target) = (everything().await, TestQueue::elsewhere().await);
    let (before, counted) = (records(&test).await, counts(&test).await);
    let (waiting, status) = (waiting(&test).await, test.queue.status().await.unwrap());
    let mut interrupted = 0;
    while cut(&test.queue, &target.queue, interrupted).await.is_none() {
        interrupted += 1;
        let (here, there) = (records(&test).await, records(&target).await);
        let moved = before.iter().filter(|record| there.contains(record)).count();
        assert_eq!(moved, there.len(), "cut {interrupted}: something is there that was not here");
        let kept = before.iter().filter(|record| here.contains(record) || there.contains(record)).count();
        assert_eq!(kept, before.len(), "cut {interrupted}: something is nowhere");
    }
    assert!(interrupted > 15, "{interrupted}");

    assert_eq!((records(&test).await, records(&target).await), (vec![], before));
    assert_eq!(self::waiting(&target).await, waiting, "each once, in order");
    assert_eq!(counts(&target).await, counted);
    let (was, is) = (&status.pools[0], &target.queue.status().await.unwrap().pools[0]);
    assert_eq!((was.pending, was.starting, was.running), (is.pending, is.starting, is.running));
    nothing_to_repair(&target).await;
}

#[tokio::test]
async fn what_became_of_a_job_meanwhile_counts_when_the_move_is_repeated() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    test.enqueue(2).await;
    let lent = started(&test, "a").await;
    test.enqueue(1).await;
    serve(&test, 1, others(2), false).await;
    let mut hashes = Vec::new();
    for entry in ["1", "2", "2~1"] {
        let key = format!("gha:{{default}}:job:{entry}");
        let fields: Vec<Vec<u8>> = test.queue.command(cmd("HGETALL").arg(&key)).await.unwrap();
        hashes.push((key, fields));
    }
    test.queue.move_to(&target.queue).await.unwrap();
    target.queue.settle(lent, done()).await.unwrap();
    let lease = target.reserve("b").await;
    target.queue.settle(lease, done()).await.unwrap();
    let after = records(&target).await;

    // As if the move had come no further than to have them there.
    for (key, fields) in hashes {
        let _new: Value = test.queue.command(cmd("HSET").arg(key).arg(fields)).await.unwrap();
    }
    for line in ["ZADD lease 1 2~1", "SADD active:octo/repo 2~1", "ZADD queued 1 2", "RPUSH pending:octo/repo 2"] {
        test.command(&line.replacen(' ', " gha:{default}:", 1)).await;
    }
    test.queue.move_to(&target.queue).await.unwrap();
    assert_eq!(records(&target).await, after);
    assert_eq!(target.queue.status().await.unwrap().pools[0].running, 0, "the runner that took job 1 has ended");
    assert!(matches!(target.try_reserve("b").await, Reserved::Empty { .. }));
    assert!(!records(&test).await.iter().any(|record| record.id == job(2)));
}

#[tokio::test]
async fn moves_in_opposite_directions_at_a_time_lose_nothing_and_double_nothing() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    test.enqueue(1).await;
    test.enqueue(2).await;
    let _lease = test.reserve("a").await;
    let all = records(&test).await;
    let (mut polls, mut ended) = (0, false);
    while !ended {
        let mut there = pin!(test.queue.move_to(&target.queue));
        for _ in 0..polls {
            ended = poll_fn(|context| Poll::Ready(there.as_mut().poll(context).is_ready())).await;
            if ended {
                break;
            }
            sleep(Duration::from_millis(5)).await; // the store's answer is there
        }
        target.queue.move_to(&test.queue).await.unwrap();
        if !ended {
            let _moved_or_refused = there.await;
        }
        let mut found = [records(&test).await, records(&target).await].concat();
        found.sort_by_key(|record| record.id);
        assert_eq!(found, all, "after {polls} polls");
        target.queue.move_to(&test.queue).await.unwrap();
        polls += 1;
    }
    // Fewer than a move has steps: an answer that is there at once takes it on to the next.
    assert!(polls > 15, "{polls}");
}

/// One of the pools that are there from the beginning.
fn usual(number: u64) -> PoolName {
    format!("pool-{}", number % 3).parse().unwrap()
}

/// A job for one of them, or for a pool that nobody has seen before.
fn of_some_pool(id: u64) -> JobMessage {
    let pool = if id.is_multiple_of(7) { format!("new-{id}").parse().unwrap() } else { usual(id) };
    JobMessage { pool, ..message(id) }
}

/// Stores jobs until each of the usual pools has refused some; returns those that were stored, and those that were refused.
async fn store(queue: Queue, first: u64, count: &AtomicUsize) -> [Vec<JobId>; 2] {
    let [mut stored, mut refused] = [Vec::new(), Vec::new()];
    let mut closed = HashMap::<PoolName, u32>::new();
    let mut in_doubt = false;
    let mut id = first;
    while (0..3).any(|number| closed.get(&usual(number)).is_none_or(|times| *times < 5)) {
        let message = of_some_pool(id);
        match queue.enqueue(&message).await {
            Ok(_) => {
                assert!(!closed.contains_key(&message.pool), "{} has refused a job before", message.pool);
                stored.push(job(id));
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(QueueError::Unsuitable(_)) => {
                *closed.entry(message.pool).or_default() += 1;
                refused.extend((!in_doubt).then_some(job(id)));
            }
            // So many share a file here that one may find it locked for too long.
            Err(error) => {
                assert!(error.is_transient(), "{}", told(&error));
                in_doubt = true;
                continue;
            }
        }
        (in_doubt, id) = (false, id + 1);
    }
    [stored, refused]
}

/// Works on jobs until that is refused.
async fn work(queue: Queue) {
    for number in 0.. {
        match queue.reserve(&usual(number), &worker("a")).await {
            Ok(Reserved::Job(lease)) if number % 2 == 0 => {
                let settling = queue.settle(*lease, Settlement::Dead { error: "no".to_owned() });
                if tokio::time::timeout(Duration::from_secs(1), settling).await.is_err() {
                    return;
                }
            }
            Ok(_) => sleep(Duration::from_millis(1)).await,
            Err(_refused) => return,
        }
    }
}

#[tokio::test]
async fn every_job_that_was_acknowledged_while_the_move_began_is_there_and_every_other_was_refused() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    let pools = "[[pool]]\nname = \"pool-0\"\n[[pool]]\nname = \"pool-1\"\nlabels = [\"a\"]\n[[pool]]\nname = \"pool-2\"\nlabels = [\"b\"]";
    test.queue.set_limits(&parse(pools)).await.unwrap();
    let client = || connect(test.store.url());
    let count = AtomicUsize::new(0);
    let storing = join_all((0..3).map(|number| store(client(), 1 + number * 100_000, &count)));
    let moving = async {
        while count.load(Ordering::Relaxed) < 80 {
            sleep(Duration::from_millis(1)).await;
        }
        until_it_works(async || test.queue.move_to(&target.queue).await).await.0
    };
    let (answered, (), _moved) = tokio::join!(storing, work(client()), moving);
    let there: Vec<JobId> = records(&target).await.into_iter().map(|record| record.id).collect();
    for [stored, refused] in answered {
        assert!(stored.iter().all(|id| there.contains(id)));
        assert!(!refused.is_empty() && !refused.iter().any(|id| there.contains(id)));
    }
    assert_eq!(records(&test).await, []);
    let again = test.queue.move_to(&target.queue).await.unwrap();
    assert!(again.pools.iter().all(|pool| pool.jobs.values().sum::<u64>() == 0), "{again:?}");
}
