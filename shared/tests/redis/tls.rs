//! A store that is spoken to in TLS.

use devstack::harness::{Certificates, RedisCluster, RedisServer, free_port};
use shared::queue::{Queue, QueueConfig};

use crate::{
    everything::everything,
    support::{config, told},
};

/// A store that speaks TLS, and its settings without the files.
async fn store(certificates: &Certificates, ask: bool) -> (RedisServer, QueueConfig) {
    let port = free_port().unwrap();
    let redis = RedisServer::start_with(certificates.of_redis(port, ask)).await.unwrap();
    (redis, config(format!("rediss://127.0.0.1:{port}")))
}

#[tokio::test]
async fn a_store_of_an_authority_of_ones_own_is_trusted_once_the_authority_is_named() {
    let certificates = Certificates::make().unwrap();
    let (_redis, mut config) = store(&certificates, false).await;
    let error = Queue::new(&config).unwrap().ping().await.unwrap_err();
    assert!(error.is_transient() && told(&error).contains("certificate"), "{}", told(&error));

    config.ca_file = Some(certificates.authority());
    everything(&Queue::new(&config).unwrap(), &["default"]).await;
}

#[tokio::test]
async fn the_nodes_of_a_cluster_are_spoken_to_in_tls_as_well() {
    let certificates = Certificates::make().unwrap();
    let (_cluster, url) = RedisCluster::start_tls(&certificates).await.unwrap();
    let (cert, key) = certificates.client();
    let config = QueueConfig {
        ca_file: Some(certificates.authority()),
        cert_file: Some(cert),
        key_file: Some(key),
        ..config(url)
    };
    everything(&Queue::new(&config).unwrap(), &["alpha", "default", "gpu"]).await;
}

#[tokio::test]
async fn a_store_of_another_authority_is_refused() {
    let (_redis, mut config) = store(&Certificates::make().unwrap(), false).await;
    let other = Certificates::make().unwrap();
    config.ca_file = Some(other.authority());
    let error = Queue::new(&config).unwrap().ping().await.unwrap_err();
    assert!(told(&error).contains("certificate"), "{}", told(&error));
}

#[tokio::test]
async fn a_store_that_asks_for_a_certificate_is_shown_one_even_one_that_was_replaced() {
    let certificates = Certificates::make().unwrap();
    let (mut redis, mut config) = store(&certificates, true).await;
    config.ca_file = Some(certificates.authority());
    assert!(Queue::new(&config).unwrap().ping().await.is_err());

    let (cert, key) = certificates.client();
    (config.cert_file, config.key_file) = (Some(cert.clone()), Some(key));
    let queue = Queue::new(&config).unwrap();
    queue.ping().await.unwrap();

    std::fs::write(&cert, "of no use").unwrap();
    queue.ping().await.unwrap();
    redis.restart().await.unwrap();
    let error = queue.ping().await.unwrap_err();
    assert!(error.is_transient(), "{}", told(&error));
}
