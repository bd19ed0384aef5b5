//! What happens when Redis does not do its part.

use std::time::Duration;

use devstack::harness::{Proxy, RedisServer};
use shared::{
    model::JobState,
    queue::{Enqueued, Settlement},
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{POOL, Store, TestQueue, connect, job, message};

#[tokio::test]
async fn a_stopped_redis_is_told_at_once_and_work_goes_on_when_it_is_back() {
    let mut test = TestQueue::new().await;
    test.enqueue(1).await;

    test.store.redis().stop().await.unwrap();
    let start = Instant::now();
    let error = test.queue.enqueue(&message(2)).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());

    test.store.redis().restart().await.unwrap();
    sleep(Duration::from_millis(150)).await;
    assert_eq!(test.queue.enqueue(&message(2)).await.unwrap(), Enqueued::Stored);
    assert_eq!(test.state(1).await, Some(JobState::Pending), "what was stored is still there");
}

#[tokio::test]
async fn the_first_call_after_a_restart_succeeds() {
    let mut test = TestQueue::new().await;
    test.enqueue(1).await;
    test.store.redis().restart().await.unwrap();
    assert_eq!(test.queue.enqueue(&message(2)).await.unwrap(), Enqueued::Stored);
}

#[tokio::test]
async fn a_frozen_redis_is_given_up_within_two_seconds_and_found_again() {
    let mut test = TestQueue::new().await;
    test.enqueue(1).await;

    test.store.redis().freeze().unwrap();
    let start = Instant::now();
    assert!(test.queue.enqueue(&message(2)).await.unwrap_err().is_transient());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    test.store.redis().thaw().unwrap();
    sleep(Duration::from_millis(150)).await;

    // The call that timed out was carried out after all, or not: either way a repeat ends as one job.
    test.queue.enqueue(&message(2)).await.unwrap();
    assert_eq!(test.queue.status().await.unwrap().pools[0].pending, 2);
}

#[tokio::test]
async fn a_full_memory_refuses_new_jobs_and_lets_the_old_ones_leave() {
    let mut test = TestQueue::new().await;
    test.enqueue(1).await;
    test.store.redis().command("CONFIG SET maxmemory 1").unwrap();

    assert!(test.queue.enqueue(&message(2)).await.unwrap_err().is_transient());
    let lease = test.reserve("a").await;
    let done = Settlement::Done { detail: String::new() };
    assert_eq!(test.queue.settle(lease, done).await.unwrap(), JobState::Done);

    test.store.redis().command("CONFIG SET maxmemory 0").unwrap();
    assert_eq!(test.queue.enqueue(&message(2)).await.unwrap(), Enqueued::Stored, "nothing was left of the refused one");
}

#[tokio::test]
async fn scripts_that_the_store_forgot_are_loaded_again() {
    let mut test = TestQueue::new().await;
    test.enqueue(1).await;
    test.store.redis().command("SCRIPT FLUSH").unwrap();
    test.enqueue(2).await;
    test.reserve("a").await;
}

#[tokio::test]
async fn settling_goes_on_until_the_store_is_back() {
    let mut test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;
    test.store.redis().stop().await.unwrap();

    let queue = test.queue.clone();
    let settle = queue.settle(lease, Settlement::Done { detail: String::new() });
    let back = async {
        sleep(Duration::from_millis(500)).await;
        test.store.redis().restart().await.unwrap();
    };
    let (state, ()) = tokio::join!(settle, back);
    assert_eq!(state.unwrap(), JobState::Done);
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_quoting_its_password() {
    let url = "htp://user:hush@host".into();
    let config = shared::queue::QueueConfig { url, ..shared::queue::QueueConfig::default() };
    let error = shared::queue::Queue::new(&config).unwrap_err().to_string();
    assert!(error.starts_with("QUEUE_URL") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn settling_again_after_a_lost_answer_is_no_loss_of_the_lease() {
    let mut test = TestQueue::new().await;
    let mut proxy = Proxy::start(test.store.redis().port()).await.unwrap();
    let queue = connect(format!("redis://127.0.0.1:{}", proxy.port()));
    test.enqueue(1).await;
    let release = Settlement::Release { delay: Duration::ZERO, reason: "so that Redis has the script".to_owned() };
    queue.settle(test.reserve("a").await, release).await.unwrap();
    let lease = test.reserve("a").await;

    proxy.swallow_answers();
    let retry = Settlement::Retry { delay: Duration::from_mins(1), error: "the engine said no".to_owned() };
    let settle = queue.settle(lease, retry);
    let answers_again = async {
        while test.state(1).await != Some(JobState::Delayed) {
            sleep(Duration::from_millis(10)).await;
        }
        proxy.pass().await.unwrap(); // it is settled, and nobody was told
    };
    let both = async { tokio::join!(settle, answers_again) };
    let (state, ()) = timeout(Duration::from_secs(20), both).await.expect("settled in time");
    assert_eq!(state.unwrap(), JobState::Delayed);
    assert_eq!(test.queue.job(job(1)).await.unwrap().unwrap().attempts, 1, "charged once");
}

#[tokio::test]
async fn a_job_that_came_before_the_clock_was_set_back_has_not_waited_yet() {
    let redis = RedisServer::start_with_clock::<&str>([]).await.unwrap();
    let mut test = TestQueue::on(Store::Redis(redis), POOL).await;
    test.enqueue(1).await;
    test.store.redis().set_clock(-60).unwrap();
    assert_eq!(test.queue.status().await.unwrap().pools[0].oldest_seconds, 0);
    assert_eq!(test.reserve("a").await.waited, Duration::ZERO);
}
