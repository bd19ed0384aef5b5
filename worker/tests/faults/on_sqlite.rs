//! The same as `main.rs`, with a file of SQLite's: what befalls processes, not what befalls a server between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(dead_code, reason = "what only `main.rs` needs")]

mod busy;
mod clocks;
mod collector;
mod counts;
mod deprecated;
mod kept;
mod kills;
mod load;
mod metrics;
mod ops;
mod points;
mod pools;
mod post_mortem;
mod probe;
mod program;
mod rate_limits;
mod reconcile;
mod spec;
mod starts;
mod store;
mod traces;
mod vanished;
mod warm;
mod watcher;
mod webhooks;
mod world;

const STORE: store::Kind = store::Kind::Sqlite;
