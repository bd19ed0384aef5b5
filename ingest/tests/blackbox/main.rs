//! `ingest` from outside: HTTP against a running process's listeners, with a real Redis behind them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy knows test functions, not their support

mod answers;
mod api;
mod app;
mod bodies;
mod client;
mod connections;
mod dashboard;
mod guard;
mod jobs;
mod origins;
mod outage;
mod payloads;
mod process;
mod queue_metrics;
mod readme;
mod signature;
