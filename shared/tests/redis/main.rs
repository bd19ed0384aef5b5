//! Redis as people run it, and when it does not do its part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod cluster;
mod everything;
mod faults;
mod login;
mod network;
mod sentinel;
#[path = "../queue/support.rs"]
mod support;
mod tls;

const STORE: support::Kind = support::Kind::Redis;
