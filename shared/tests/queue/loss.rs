//! A store that has lost what it was given: workers put back what they hold.

use std::time::Duration;

use shared::{
    model::JobState,
    queue::{LimitChange, Progress, QueueError, Reserved, Settlement},
};
use tokio::time::{Instant, sleep};

use crate::support::{TestQueue, job, message, parse, pool};

const POOLS: &str = "[[pool]]\nname = \"default\"\nmax_runners = 1";

fn retry() -> Settlement {
    Settlement::Retry { delay: Duration::from_millis(1), error: "the engine said no".to_owned() }
}

#[tokio::test]
async fn a_pool_whose_limit_was_lost_starts_nothing_until_it_is_told_again() {
    let test = TestQueue::with(POOLS).await;
    test.store.lose();
    test.enqueue(1).await;
    assert!(matches!(test.try_reserve("a").await, Reserved::LimitUnknown));
    assert!(!test.queue.beat(&pool(), &[]).await.unwrap().limit_known);
    test.queue.change_limit(&pool(), &LimitChange::Pool(Some(7))).await.unwrap();
    assert!(matches!(test.try_reserve("a").await, Reserved::LimitUnknown), "each scope's is not known either");
    test.queue.wait(&[pool()], Duration::from_millis(1)).await.unwrap(); // takes the marker

    let pools = [pool()];
    let start = Instant::now();
    let (waited, ()) = tokio::join!(test.queue.wait(&pools, Duration::from_secs(5)), async {
        sleep(Duration::from_millis(50)).await;
        test.queue.set_limits(&parse(POOLS)).await.unwrap();
    });
    waited.unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "who waits is woken");
    assert!(test.queue.beat(&pool(), &[]).await.unwrap().limit_known);
    test.reserve("a").await;
}

#[tokio::test]
async fn a_job_that_was_lost_is_put_back_by_its_worker_and_counts_against_the_limit_again() {
    let test = TestQueue::with(POOLS).await;
    test.enqueue(1).await;
    let mut lease = test.reserve("a").await;
    test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    test.store.lose();

    assert_eq!(test.queue.beat(&pool(), &[lease.id()]).await.unwrap().lost, [lease.id()]);
    assert!(test.queue.restore(lease.id(), &lease.backup()).await.unwrap());
    assert!(!test.queue.restore(lease.id(), &lease.backup()).await.unwrap(), "it is known by now");
    assert_eq!(test.queue.beat(&pool(), &[lease.id()]).await.unwrap().lost, []);

    test.queue.set_limits(&parse(POOLS)).await.unwrap();
    let mut other = message(2);
    other.delivery = "another".parse().unwrap();
    test.queue.enqueue(&other).await.unwrap();
    assert!(matches!(test.try_reserve("b").await, Reserved::Full));
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!((record.state, record.worker.unwrap().to_string()), (JobState::Running, "a".to_owned()));
    assert!(record.reason.contains("worker a has put it back"), "{}", record.reason);

    let done = Settlement::Done { detail: String::new() };
    assert_eq!(test.queue.settle(lease, done).await.unwrap(), JobState::Done);
    assert_eq!(test.reserve("b").await.job_id(), job(2));
}

#[tokio::test]
async fn a_job_that_was_lost_while_it_failed_is_tried_again_all_the_same() {
    let test = TestQueue::with(POOLS).await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;
    assert_eq!(test.queue.settle(lease, retry()).await.unwrap(), JobState::Delayed);
    sleep(Duration::from_millis(5)).await;
    let lease = test.reserve("a").await;
    test.store.lose();
    assert_eq!(test.queue.settle(lease, retry()).await.unwrap(), JobState::Delayed);

    test.queue.set_limits(&parse(POOLS)).await.unwrap();
    sleep(Duration::from_millis(5)).await;
    let lease = test.reserve("a").await;
    assert_eq!((lease.attempts, lease.id().attempt), (2, 3), "no runner's name comes twice");
    assert_eq!(lease.job, message(1));
}

#[tokio::test]
async fn what_happens_to_a_job_after_it_was_lost_is_on_its_record() {
    let test = TestQueue::with(POOLS).await;
    test.enqueue(1).await;
    let mut lease = test.reserve("a").await;
    test.store.lose();
    test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    assert_eq!(test.state(1).await, None, "no worker has listed the pool again");
    let said = shared::queue::Announcement { capacity: 1, runners: 1, pools: vec![pool()], problem: None };
    test.queue.announce(&crate::support::worker("a"), said).await.unwrap();
    assert_eq!(test.state(1).await, Some(JobState::Running));
    assert_eq!(test.queue.beat(&pool(), &[lease.id()]).await.unwrap().lost, []);
}

#[tokio::test]
async fn a_job_that_came_again_meanwhile_is_not_put_back() {
    let test = TestQueue::with(POOLS).await;
    test.enqueue(1).await;
    let mut lease = test.reserve("a").await;
    test.store.lose();
    test.enqueue(1).await;
    let error = test.queue.progress(&mut lease, Progress::default()).await.unwrap_err();
    assert!(matches!(error, QueueError::LeaseLost { .. }), "{error}");
    assert_eq!(test.queue.beat(&pool(), &[lease.id()]).await.unwrap().lost, [lease.id()]);
    assert!(test.queue.settle(lease, retry()).await.is_err());
    test.queue.set_limits(&parse(POOLS)).await.unwrap();
    test.reserve("b").await;
}
