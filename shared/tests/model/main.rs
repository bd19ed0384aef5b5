//! The queue against a model of it: random operations of many workers that crash and come back, and after each of them
//! every promise.
//!
//! `PROPTEST_CASES` says how many sequences are tried. A failure prints the shortest sequence that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crossing;
mod demand;
mod fairness;
mod invariants;
mod lease;
mod limits;
mod model;
mod operation;
mod store;
mod work;
mod world;

use devstack::harness::RedisServer;
use proptest::test_runner::{Config, TestRunner};
use store::Store;
use tokio::runtime::Builder;
use world::World;

#[test]
fn whatever_happens_in_whatever_order_the_queue_keeps_its_promises() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    // Nothing is to survive here, so nothing need be written.
    let redis = runtime.block_on(RedisServer::start_with(["--appendonly", "no"])).unwrap();
    let config = Config { failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    let tried = TestRunner::new(config).run(&operation::sequences(), |operations| {
        runtime.block_on(async {
            let mut world = World::new(Store::connect(&redis).await).await;
            for operation in &operations {
                world.step(operation).await?;
            }
            world.drain().await
        })
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}
