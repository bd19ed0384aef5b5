//! What is said of a store at the start.

use std::net::Ipv4Addr;

use devstack::harness::{RedisCluster, RedisServer};
use shared::queue::QueueError;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use crate::support::{connect, told};

const EVICTS: &str =
    "maxmemory-policy is allkeys-lru: when its memory is full, it throws jobs away; set it to noeviction";
const FORGETS: &str = "appendonly is off: jobs that were acknowledged are lost when it ends abruptly; set it to yes";

#[tokio::test]
async fn a_store_that_may_lose_jobs_is_told_of_a_line_for_each_reason() {
    let redis = RedisServer::start_with(["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]).await.unwrap();
    assert_eq!(connect(redis.url()).check().await.unwrap(), [EVICTS, FORGETS]);
}

#[tokio::test]
async fn every_node_of_a_cluster_is_looked_at() {
    let mut test = RedisCluster::start_with(&[]).await.unwrap();
    let queue = connect(test.url());
    assert_eq!(queue.check().await.unwrap(), [] as [&str; 0]);
    let node = &test.nodes()[1];
    node.command("CONFIG SET appendonly no").unwrap();
    assert_eq!(queue.check().await.unwrap(), [format!("127.0.0.1:{}: {FORGETS}", node.port())]);
}

#[tokio::test]
async fn a_store_that_is_too_old_is_not_used() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let queue = connect(format!("redis://{}", listener.local_addr().unwrap()));
    let error = tokio::select! {
        () = old_redis(listener) => unreachable!(),
        error = async { queue.ping().await.unwrap_err() } => error,
    };
    assert!(matches!(error, QueueError::Unsuitable(_)) && error.is_transient(), "{error:?}");
    let says = "the queue's store cannot be used: it is Redis 6.2.14, and the queue needs 7.0 or later, or Valkey";
    assert_eq!(told(&error), says);
}

/// Answers as a Redis 6.2 does, to what is asked before a store is used, and to PING.
async fn old_redis(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.split();
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let answer = match line.as_str() {
                "INFO" => "$43\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\n",
                "CLIENT" => "-ERR unknown subcommand\r\n",
                "PING" => "+PONG\r\n",
                _ => continue,
            };
            write.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}
