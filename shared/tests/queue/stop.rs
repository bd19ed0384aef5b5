//! A pool whose runners cannot work.

use std::time::Duration;

use shared::{
    model::JobState,
    queue::{Lease, Progress, Reserved, Settlement, What},
};
use tokio::time::sleep;

use super::support::{TestQueue, job, pool};

const WHY: &str = "its runners are too old";

/// Longer than a test takes.
const LONG: Duration = Duration::from_hours(1);

/// A stopped pool, in which jobs wait.
async fn stopped(jobs: u64, again: Duration) -> TestQueue {
    let test = TestQueue::new().await;
    for id in 1..=jobs {
        test.enqueue(id).await;
    }
    test.queue.stop(&pool(), again, WHY).await.unwrap();
    test
}

async fn runs(test: &TestQueue, lease: &mut Lease) {
    lease.happened(What::Running, "build");
    test.queue.progress(lease, Progress { started: true, ..Progress::default() }).await.unwrap();
}

async fn starts_nothing(test: &TestQueue) -> bool {
    matches!(test.try_reserve("b").await, Reserved::Paused(_))
}

#[tokio::test]
async fn a_stopped_pool_starts_nothing_and_says_why() {
    let test = stopped(1, LONG).await;
    let Reserved::Paused(left) = test.try_reserve("a").await else { panic!("it is not stopped") };
    assert!(left > LONG / 2, "{left:?}");
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempts), (JobState::Pending, 0));
    assert_eq!(record.reason, format!("pool default is stopped: {WHY}"));
    assert_eq!(test.queue.status().await.unwrap().pools[0].stopped.as_deref(), Some(WHY));
}

#[tokio::test]
async fn one_job_is_tried_and_the_others_start_once_its_runner_has_a_job() {
    let test = stopped(3, LONG).await;
    test.queue.try_again(&[pool()]).await.unwrap();
    let mut lease = test.reserve("a").await;
    assert!(starts_nothing(&test).await, "one at a time");
    lease.happened(What::Listening, "");
    test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    assert!(starts_nothing(&test).await, "GitHub may refuse a runner that listens");
    runs(&test, &mut lease).await;
    test.reserve("b").await;
    test.reserve("b").await;
    assert_eq!(test.queue.status().await.unwrap().pools[0].stopped, None);
}

#[tokio::test]
async fn the_time_of_a_trial_comes_by_itself() {
    let test = stopped(2, Duration::from_millis(200)).await;
    sleep(Duration::from_millis(250)).await;
    let lease = test.reserve("a").await;
    test.queue.stop(&pool(), LONG, WHY).await.unwrap();
    let release = Settlement::Release { delay: Duration::ZERO, reason: WHY.to_owned() };
    test.queue.settle(lease, release).await.unwrap();
    assert!(starts_nothing(&test).await, "it has failed again");
}

#[tokio::test]
async fn a_runner_from_before_that_still_works_shows_nothing() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    let mut before = test.reserve("a").await;
    test.queue.stop(&pool(), LONG, WHY).await.unwrap();
    runs(&test, &mut before).await;
    assert!(starts_nothing(&test).await);
}

#[tokio::test]
async fn a_pool_that_is_not_stopped_cannot_be_tried_again() {
    let test = TestQueue::new().await;
    test.queue.try_again(&[pool()]).await.unwrap();
    for id in 1..=2 {
        test.enqueue(id).await;
        test.reserve("a").await;
    }
}
