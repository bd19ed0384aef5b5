//! For how long jobs waited until they ran.

use std::time::Duration;

use shared::queue::{DeadLetters, Lease, Progress, ServedBy, Settlement, What};
use tokio::time::sleep;

use crate::{
    crossover::{done, others, serve, started},
    support::{TestQueue, job, pool},
};

/// How many have begun to run, and how long the one of them that waited longest had waited.
async fn waited(test: &TestQueue) -> (u64, Option<Duration>) {
    let mut quarters = test.queue.waits(&pool()).await.unwrap().into_iter();
    let mut all = quarters.next().unwrap();
    quarters.for_each(|quarter| all.add(&quarter));
    (all.jobs(), all.quantile(1.0))
}

async fn runs(test: &TestQueue, lease: &mut Lease) {
    lease.happened(What::Running, "build");
    test.queue.progress(lease, Progress { started: true, ..Progress::default() }).await.unwrap();
}

/// Has a job be as if it had come so long ago.
async fn came_before(test: &TestQueue, id: u64, ms: u64) {
    let at = test.queue.time().await.unwrap() - ms;
    test.command(&format!("HSET gha:{{default}}:job:{id} enq {at}")).await;
}

#[tokio::test]
async fn the_wait_of_a_job_is_counted_once_it_runs_and_only_once() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    came_before(&test, 1, 60_000).await;
    let mut lease = started(&test, "a").await;
    assert_eq!(waited(&test).await, (0, None));
    runs(&test, &mut lease).await;
    let (jobs, longest) = waited(&test).await;
    assert_eq!(jobs, 1);
    let longest = longest.unwrap();
    assert!(longest >= Duration::from_mins(1) && longest < Duration::from_secs(90), "{longest:?}");
    runs(&test, &mut lease).await;
    test.queue.settle(lease, done()).await.unwrap();
    assert_eq!(waited(&test).await.0, 1);
}

#[tokio::test]
async fn a_day_of_waits_has_its_quarters_of_an_hour_in_their_order_and_ends_now() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let mut lease = started(&test, "a").await;
    runs(&test, &mut lease).await;
    let quarters = test.queue.waits(&pool()).await.unwrap();
    assert_eq!(quarters.len(), 97);
    assert!(quarters.windows(2).all(|pair| pair[1].from - pair[0].from == Duration::from_mins(15)));
    // The quarter may just have ended.
    assert_eq!(quarters[95].jobs() + quarters[96].jobs(), 1);
    let at = i128::from(test.queue.time().await.unwrap()) * 1_000_000 - quarters[96].from.unix_timestamp_nanos();
    assert!((0..900_000_000_000).contains(&at), "{at} ns");
}

#[tokio::test]
async fn of_a_job_whose_runner_took_another_it_is_the_others_wait_that_has_ended() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let mut lease = started(&test, "a").await;
    runs(&test, &mut lease).await;
    test.enqueue(1).await;
    came_before(&test, 1, 600_000).await;
    serve(&test, 1, others(2), false).await;
    let (jobs, longest) = waited(&test).await;
    assert_eq!(jobs, 1, "job 2 waits again");
    assert!(longest.unwrap() >= Duration::from_mins(10));
    let mut second = started(&test, "a").await;
    runs(&test, &mut second).await;
    assert_eq!(waited(&test).await.0, 2);
}

#[tokio::test]
async fn a_job_that_github_has_in_its_queue_still_has_not_waited_yet() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    came_before(&test, 1, 600_000).await;
    let mut lease = started(&test, "a").await;
    runs(&test, &mut lease).await;
    test.queue.settle(lease, done()).await.unwrap();
    assert!(test.queue.missed(&pool(), job(1)).await.unwrap());
    assert_eq!(waited(&test).await.0, 0);
    runs(&test, &mut started(&test, "a").await).await;
    let (jobs, longest) = waited(&test).await;
    assert!(jobs == 1 && longest.unwrap() >= Duration::from_mins(10), "{longest:?}");
}

#[tokio::test]
async fn what_other_peoples_runners_do_is_not_counted() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    serve(&test, 1, ServedBy::Foreign, true).await;
    assert_eq!(waited(&test).await.0, 0);
}

#[tokio::test]
async fn a_dead_letter_waits_from_its_replay_on() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    came_before(&test, 1, 3_600_000).await;
    let lease = test.reserve("a").await;
    test.queue.settle(lease, Settlement::Dead { error: "no".to_owned() }).await.unwrap();
    sleep(Duration::from_millis(2)).await;
    let which = DeadLetters { jobs: vec![job(1)], ..DeadLetters::default() };
    test.queue.replay(&which).await.unwrap();
    let mut lease = started(&test, "a").await;
    runs(&test, &mut lease).await;
    let (jobs, longest) = waited(&test).await;
    assert_eq!(jobs, 1);
    assert!(longest.unwrap() < Duration::from_mins(30), "{longest:?}");
}
