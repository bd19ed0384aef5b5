//! A store that asks who one is, and lets one do no more than one must.

use devstack::harness::{RedisCluster, RedisServer};

use crate::{
    everything::everything,
    support::{Kind, Store, connect, told},
};

/// All that the queue's user needs, as the README has it.
const USER: &str = "ACL SETUSER queue on >hush ~gha:* resetchannels -@all +@read +@write -@dangerous +eval +evalsha +ping +time +info +role";

#[tokio::test]
async fn the_queues_user_needs_no_more_than_this() {
    let redis = RedisServer::start().await.unwrap();
    redis.command(USER).unwrap();
    let queue = connect(format!("redis://queue:hush@127.0.0.1:{}", redis.port()));
    everything(&queue, &["default"]).await;
    let file = Store::start(Kind::Sqlite).await;
    queue.move_to(&connect(file.url())).await.unwrap();
    connect(file.url()).move_to(&queue).await.unwrap();
    assert_eq!(redis.command("ACL LOG").unwrap(), "*0", "something else was tried and refused");
}

#[tokio::test]
async fn the_queues_user_of_a_cluster_may_ask_who_has_which_slots_besides() {
    let mut cluster = RedisCluster::start_with(&[]).await.unwrap();
    for node in cluster.nodes() {
        node.command(USER).unwrap();
        node.command("ACL SETUSER queue +cluster|slots +asking").unwrap();
    }
    let queue = connect(cluster.url().replace("://", "://queue:hush@"));
    everything(&queue, &["alpha", "default", "gpu"]).await;
}

#[tokio::test]
async fn a_store_that_does_not_tell_what_it_is_is_used_without_a_word() {
    let redis = RedisServer::start_with(["--appendonly", "no"]).await.unwrap();
    redis.command(USER).unwrap();
    redis.command("ACL SETUSER queue -info").unwrap();
    let queue = connect(format!("redis://queue:hush@127.0.0.1:{}", redis.port()));
    everything(&queue, &["default"]).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_without_quoting_it_and_the_right_one_later_is_taken() {
    let redis = RedisServer::start().await.unwrap();
    redis.command(USER).unwrap();
    let queue = connect(format!("redis://queue:wrong-hush@127.0.0.1:{}", redis.port()));
    let error = queue.ping().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(told(&error).to_lowercase().contains("password"), "{}", told(&error));
    assert!(!format!("{} {error:?} {queue:?}", told(&error)).contains("hush"), "{} {error:?}", told(&error));

    redis.command("ACL SETUSER queue >wrong-hush").unwrap();
    crate::support::until_it_works(async || queue.ping().await).await;
}

#[tokio::test]
async fn a_password_alone_will_do() {
    let redis = RedisServer::start_with(["--requirepass", "p@ss/word"]).await.unwrap();
    let error = connect(redis.url()).ping().await.unwrap_err();
    assert!(told(&error).contains("NOAUTH"), "{}", told(&error));
    let queue = connect(format!("redis://:p%40ss%2Fword@127.0.0.1:{}", redis.port()));
    everything(&queue, &["default"]).await;
}
