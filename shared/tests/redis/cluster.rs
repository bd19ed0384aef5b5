//! A store of several servers that share the keys.

use std::time::Duration;

use devstack::harness::{RedisCluster, RedisServer};
use shared::{
    model::PoolName,
    queue::{Enqueued, Queue, QueueError},
};
use tokio::time::{Instant, sleep};

use crate::{
    everything::{configure, everything, of, reserve},
    support::{Kind, Store, connect, told, until_it_works},
};

/// Pools whose keys are on the first, the second and the third node.
const POOLS: [&str; 3] = ["alpha", "default", "gpu"];

fn names() -> [PoolName; 3] {
    POOLS.map(|name| name.parse().unwrap())
}

/// Waits for all pools, and says how long it took.
async fn waited(queue: &Queue) -> Duration {
    let start = Instant::now();
    queue.wait(&names(), Duration::from_secs(4)).await.unwrap();
    start.elapsed()
}

#[tokio::test]
async fn pools_may_be_on_different_nodes_of_a_cluster() {
    let test = RedisCluster::start_with(&[]).await.unwrap();
    everything(&connect(test.url()), &POOLS).await;
}

#[tokio::test]
async fn a_worker_wakes_for_a_job_of_whichever_node_and_no_wake_up_is_lost() {
    let test = RedisCluster::start_with(&[]).await.unwrap();
    let queue = connect(test.url());
    configure(&queue, &POOLS).await;
    while waited(&queue).await < Duration::from_secs(1) {} // the markers that the limits have set

    for (id, pool) in (1..).zip(POOLS.into_iter().chain(POOLS)) {
        let (after, ()) = tokio::join!(waited(&queue), async {
            sleep(Duration::from_millis(150)).await;
            queue.enqueue(&of(pool, id)).await.unwrap();
        });
        assert!((Duration::from_millis(100)..Duration::from_secs(2)).contains(&after), "{pool}: {after:?}");
        reserve(&queue, &pool.parse().unwrap()).await;
    }

    // While nobody waits, too.
    for (id, pool) in (11..).zip(POOLS) {
        queue.enqueue(&of(pool, id)).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    for _ in POOLS {
        let after = waited(&queue).await;
        assert!(after < Duration::from_secs(1), "{after:?}");
    }
}

#[tokio::test]
async fn a_node_that_hangs_or_is_gone_holds_nobody_up_for_long_and_work_goes_on_when_it_is_back() {
    let mut test = RedisCluster::start_with(&["--cluster-require-full-coverage", "no"]).await.unwrap();
    let queue = connect(test.url());
    configure(&queue, &POOLS).await;
    for (id, hangs) in [(1, true), (11, false)] {
        let node = &mut test.nodes()[2];
        if hangs {
            node.freeze().unwrap();
        } else {
            node.kill();
        }
        for id in id..id + 3 {
            let start = Instant::now();
            let error = queue.enqueue(&of("gpu", id)).await.unwrap_err();
            assert!(error.is_transient() && start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
            let (_enqueued, after) = until_it_works(async || queue.enqueue(&of("alpha", id + 100)).await).await;
            assert!(after < Duration::from_secs(3), "{after:?}");
        }
        let node = &mut test.nodes()[2];
        if hangs {
            node.thaw().unwrap();
        } else {
            node.restart().await.unwrap();
        }
        // A call that was given up may have been carried out when the node went on.
        let (_enqueued, _after) = until_it_works(async || queue.enqueue(&of("gpu", id)).await).await;
        reserve(&queue, &"gpu".parse().unwrap()).await;
    }
}

#[tokio::test]
async fn a_replica_that_takes_a_nodes_place_is_found_with_what_was_acknowledged_and_without_the_scripts() {
    let mut test = RedisCluster::start_with(&[]).await.unwrap();
    let replica = test.add_replica(0).await.unwrap();
    let queue = connect(test.url());
    configure(&queue, &POOLS).await;
    for id in 1..=3 {
        queue.enqueue(&of("alpha", id)).await.unwrap();
    }
    assert!(test.nodes()[0].is_replicated().unwrap());
    test.nodes()[0].kill();
    let (enqueued, after) = until_it_works(async || queue.enqueue(&of("alpha", 4)).await).await;
    eprintln!("a node that was killed was replaced after {after:?}");
    assert_eq!(enqueued, Enqueued::Stored);
    let status = queue.status().await.unwrap();
    assert_eq!(status.pools.iter().map(|pool| pool.pending).sum::<u64>(), 4);
    reserve(&queue, &"alpha".parse().unwrap()).await;
    drop(replica);
}

#[tokio::test]
async fn slots_that_move_to_another_node_are_followed() {
    let mut test = RedisCluster::start_with(&[]).await.unwrap();
    let queue = connect(test.url());
    configure(&queue, &POOLS).await;
    // The keys of this pool have the slot 865. No key is in it but the pool's own.
    let ids: Vec<String> = test.nodes().iter().map(id).collect();
    let port = test.nodes()[1].port();
    test.nodes()[1].command(&format!("CLUSTER SETSLOT 865 IMPORTING {}", ids[0])).unwrap();
    test.nodes()[0].command(&format!("CLUSTER SETSLOT 865 MIGRATING {}", ids[1])).unwrap();
    for key in ["limits", "wake", "seq"] {
        test.nodes()[0].command(&format!("MIGRATE 127.0.0.1 {port} gha:{{alpha}}:{key} 0 1000")).unwrap();
    }
    for node in [1, 0, 2] {
        test.nodes()[node].command(&format!("CLUSTER SETSLOT 865 NODE {}", ids[1])).unwrap();
    }
    let (enqueued, after) = until_it_works(async || queue.enqueue(&of("alpha", 1)).await).await;
    assert!(enqueued == Enqueued::Stored && after < Duration::from_secs(1), "{enqueued:?} {after:?}");
    reserve(&queue, &"alpha".parse().unwrap()).await;
}

#[tokio::test]
async fn jobs_move_to_a_cluster_and_out_of_one_whichever_nodes_their_pools_are_on() {
    let (test, file) = (RedisCluster::start_with(&[]).await.unwrap(), Store::start(Kind::Sqlite).await);
    let (queue, old) = (connect(test.url()), connect(file.url()));
    configure(&old, &POOLS).await;
    for (id, pool) in (1..).zip(POOLS.into_iter().chain(POOLS)) {
        old.enqueue(&of(pool, id)).await.unwrap();
    }
    for (from, to) in [(&old, &queue), (&queue, &old)] {
        from.move_to(to).await.unwrap();
        for pool in names() {
            assert!(matches!(from.beat(&pool, &[]).await, Err(QueueError::Unsuitable(_))));
            reserve(to, &pool).await;
        }
    }
}

fn id(node: &RedisServer) -> String {
    node.text("CLUSTER MYID").unwrap()
}

#[tokio::test]
async fn an_address_of_one_server_that_turns_out_to_be_a_clusters_node_says_what_to_write() {
    let mut test = RedisCluster::start_with(&[]).await.unwrap();
    let error = connect(test.nodes()[0].url()).ping().await.unwrap_err();
    assert!(told(&error).contains("QUEUE_URL begins with redis-cluster"), "{}", told(&error));
}
