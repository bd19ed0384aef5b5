//! The queue's promises, against a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod check;
mod cluster;
mod crossover;
mod dead_letters;
mod enqueue;
mod everything;
mod faults;
mod lease;
mod limits;
mod login;
mod loss;
mod network;
mod sentinel;
mod settle;
mod support;
mod swap;
mod tls;
