//! A primary that others take the place of.

use std::time::Duration;

use devstack::harness::{RedisSentinel, RedisServer, free_port};
use shared::{
    model::JobState,
    queue::{Enqueued, Settlement},
};
use tokio::time::sleep;

use crate::{
    everything::{configure, everything, reserve},
    support::{connect, job, message, pool, told, until_it_works},
};

#[tokio::test]
async fn the_queue_follows_the_primary_that_sentinels_name_and_finds_there_what_was_acknowledged() {
    let mut test = RedisSentinel::start_with(&[]).await.unwrap();
    // One of the sentinels is away.
    let url = format!("redis+sentinel://127.0.0.1:{},127.0.0.1:{}/main", free_port().unwrap(), test.port());
    let queue = connect(url);
    everything(&queue, &["other"]).await;
    configure(&queue, &["default"]).await;
    queue.enqueue(&message(1)).await.unwrap();
    queue.enqueue(&message(2)).await.unwrap();
    let lease = reserve(&queue, &pool()).await;
    assert!(test.primary.is_replicated().unwrap());

    test.primary.kill();
    let start = tokio::time::Instant::now();
    let error = queue.enqueue(&message(3)).await.unwrap_err();
    assert!(error.is_transient() && start.elapsed() < Duration::from_secs(2), "{}", told(&error));
    let waiting = queue.wait(&[pool()], Duration::from_secs(1)).await;
    assert!(waiting.is_err(), "who waits is told as well");

    let (enqueued, after) = until_it_works(async || queue.enqueue(&message(3)).await).await;
    eprintln!("a primary that was killed was replaced after {after:?}");
    assert_eq!(enqueued, Enqueued::Stored);
    assert_eq!(queue.job(job(2)).await.unwrap().unwrap().state, JobState::Pending);
    assert_eq!(queue.beat(&pool(), &[lease.id()]).await.unwrap().lost, []);
    let done = Settlement::Done { detail: String::new() };
    assert_eq!(queue.settle(lease, done).await.unwrap(), JobState::Done);
    assert_eq!(reserve(&queue, &pool()).await.job_id(), job(2));
}

#[tokio::test]
async fn a_primary_that_becomes_a_replica_is_left_for_the_new_one() {
    let test = RedisSentinel::start_with(&[]).await.unwrap();
    let queue = connect(test.url());
    configure(&queue, &["default"]).await;
    queue.enqueue(&message(1)).await.unwrap();
    assert!(test.primary.is_replicated().unwrap());
    test.fail_over().await.unwrap();
    while !is_primary(&test.replica) {
        sleep(Duration::from_millis(50)).await;
    }
    // The sentinel would tell it, too, some seconds later.
    test.primary.command(&format!("REPLICAOF 127.0.0.1 {}", test.replica.port())).unwrap();
    let (enqueued, _after) = until_it_works(async || queue.enqueue(&message(2)).await).await;
    assert_eq!(enqueued, Enqueued::Stored);
    assert_eq!(queue.status().await.unwrap().pools[0].pending, 2);
}

fn is_primary(server: &RedisServer) -> bool {
    // A replica refuses it.
    server.command("SET gha:probe 1").is_ok()
}

#[tokio::test]
async fn sentinels_may_have_a_password_of_their_own() {
    let test = RedisSentinel::start_with(&[]).await.unwrap();
    assert_eq!(test.command("ACL SETUSER default resetpass >hush").unwrap(), "+OK");
    let error = connect(test.url()).ping().await.unwrap_err();
    assert!(error.is_transient() && told(&error).contains("NOAUTH"), "{}", told(&error));
    connect(format!("{}?sentinel_password=hush", test.url())).ping().await.unwrap();
}

#[tokio::test]
async fn a_name_that_the_sentinels_do_not_know_is_told() {
    let test = RedisSentinel::start_with(&[]).await.unwrap();
    let error = connect(test.url().replace("/main", "/other")).ping().await.unwrap_err();
    assert!(error.is_transient() && told(&error).contains("no primary of that name"), "{}", told(&error));
}
