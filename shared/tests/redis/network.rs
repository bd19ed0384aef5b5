//! Connections that stand and are of no use, or end under one's hands.

use std::time::Duration;

use devstack::harness::Proxy;
use shared::queue::Enqueued;
use tokio::time::{Instant, sleep};

use crate::{
    everything::reserve,
    support::{TestQueue, connect, message, pool, told, until_it_works},
};

/// A queue behind a network that can be broken.
async fn behind_proxy() -> (TestQueue, Proxy) {
    let mut test = TestQueue::new().await;
    let proxy = Proxy::start(test.store.redis().port()).await.unwrap();
    test.queue = connect(format!("redis://127.0.0.1:{}", proxy.port()));
    test.queue.ping().await.unwrap();
    (test, proxy)
}

#[tokio::test]
async fn a_network_that_swallows_everything_fails_calls_in_time_and_is_used_again_when_it_does_not() {
    let (test, mut proxy) = behind_proxy().await;
    proxy.hold();
    for _ in 0..3 {
        let start = Instant::now();
        let error = test.queue.enqueue(&message(1)).await.unwrap_err();
        assert!(error.is_transient(), "{}", told(&error));
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
    proxy.pass().await.unwrap();
    let (_enqueued, after) = until_it_works(async || test.queue.enqueue(&message(1)).await).await;
    assert!(after < Duration::from_secs(1), "{after:?}");
    test.reserve("a").await;
}

#[tokio::test]
async fn a_connection_that_stays_mute_is_replaced_by_another() {
    let (test, mut proxy) = behind_proxy().await;
    test.enqueue(2).await;
    proxy.swallow_answers();
    assert!(test.queue.enqueue(&message(1)).await.unwrap_err().is_transient());
    // New connections are sound. The old one gets no answer ever, though what it sends arrives.
    proxy.pass().await.unwrap();
    let (enqueued, after) = until_it_works(async || test.queue.enqueue(&message(1)).await).await;
    assert!(after < Duration::from_secs(1), "{after:?}");
    assert_eq!(enqueued, Enqueued::DuplicateDelivery, "the call that failed was carried out");
}

#[tokio::test]
async fn a_wait_that_is_swallowed_ends_in_time_and_the_next_one_hears_of_jobs() {
    let (test, mut proxy) = behind_proxy().await;
    test.queue.wait(&[pool()], Duration::from_millis(1)).await.unwrap();
    let start = Instant::now();
    let pools = [pool()];
    let (waited, ()) = tokio::join!(test.queue.wait(&pools, Duration::from_secs(5)), async {
        sleep(Duration::from_millis(100)).await;
        proxy.hold();
    });
    assert!(waited.is_err());
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());

    proxy.pass().await.unwrap();
    let wait = until_it_works(async || test.queue.wait(&[pool()], Duration::from_secs(5)).await);
    let ((_woken, after), ()) = tokio::join!(wait, async {
        sleep(Duration::from_millis(500)).await;
        test.enqueue(1).await;
    });
    assert!(after < Duration::from_secs(2), "{after:?}");
}

#[tokio::test]
async fn connections_that_the_store_closes_cost_no_call() {
    let mut test = TestQueue::new().await;
    for id in 1..=20 {
        test.store.redis().command("CLIENT KILL TYPE normal").unwrap();
        assert_eq!(test.queue.enqueue(&message(id)).await.unwrap(), Enqueued::Stored);
    }
}

#[tokio::test]
async fn a_store_that_takes_no_writes_for_a_while_is_waited_for_only_so_long() {
    let mut test = TestQueue::new().await;
    test.store.redis().command("CLIENT PAUSE 2500 WRITE").unwrap();
    let start = Instant::now();
    let error = test.queue.enqueue(&message(1)).await.unwrap_err();
    assert!(error.is_transient() && start.elapsed() < Duration::from_secs(2), "{}", told(&error));
    let (_enqueued, after) = until_it_works(async || test.queue.enqueue(&message(1)).await).await;
    assert!(after < Duration::from_secs(3), "{after:?}");
    assert_eq!(test.queue.status().await.unwrap().pools[0].pending, 1);
}

#[tokio::test]
async fn a_store_that_was_started_anew_is_waited_at_again() {
    let mut test = TestQueue::new().await;
    let (idle, pools) = (test.queue.clone(), [pool()]);
    idle.wait(&pools, Duration::from_millis(1)).await.unwrap();
    let start = Instant::now();
    let (waited, ()) = tokio::join!(idle.wait(&pools, Duration::from_secs(5)), async {
        sleep(Duration::from_millis(100)).await;
        test.store.redis().restart().await.unwrap();
        test.enqueue(1).await;
    });
    assert!(start.elapsed() < Duration::from_secs(3), "{waited:?} {:?}", start.elapsed());
    reserve(&test.queue, &pool()).await;
}
