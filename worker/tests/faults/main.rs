//! Whatever dies, freezes or falls silent: no job is lost, none gets two runners, and no limit is exceeded.
//!
//! Real `ingest` and `worker` processes and a real Redis are killed and frozen, at points that are met by holding back
//! an answer of the stand-in for GitHub, of the one for Docker, or of Redis. Each file is a row of the fault matrix. Each
//! run prints its counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod acceptance;
mod app;
mod busy;
mod clocks;
mod collector;
mod counts;
mod deprecated;
mod hosts;
mod kept;
mod kills;
mod load;
mod metrics;
mod network;
mod ops;
mod points;
mod pools;
mod post_mortem;
mod probe;
mod program;
mod rate_limits;
mod reconcile;
mod redis;
mod refusals;
mod spec;
mod starts;
mod store;
mod traces;
mod vanished;
mod warm;
mod watcher;
mod webhooks;
mod world;
mod wrong_clocks;

const STORE: store::Kind = store::Kind::Redis;
