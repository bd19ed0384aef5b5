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
mod look;
mod model;
mod operation;
mod run;
mod store;
mod warm;
mod work;
mod world;

use devstack::harness::RedisServer;
use look::Kept;
use run::{run, runtime};

#[test]
fn whatever_happens_in_whatever_order_the_queue_keeps_its_promises() {
    // Nothing is to survive here, so nothing need be written.
    let redis = runtime().block_on(RedisServer::start_with(["--appendonly", "no"])).unwrap();
    run(&Kept::Redis(redis));
}
