//! The queue's promises, against a file of SQLite's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod calls;
mod crossover;
mod dead_letters;
mod ended;
mod enqueue;
mod explain;
mod find;
mod lease;
mod limits;
mod loss;
mod moved;
mod moving;
mod post_mortem;
mod reconcile;
mod runners;
mod seen;
mod settle;
mod stop;
mod support;
mod swap;
mod waits;
mod warm;

const STORE: support::Kind = support::Kind::Sqlite;
