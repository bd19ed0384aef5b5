//! The queue's promises, against a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod enqueue;
mod faults;
mod lease;
mod settle;
mod support;
