//! A file of SQLite's, and what befalls it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod disk;
mod file;
mod processes;
#[path = "../queue/support.rs"]
mod support;

const STORE: support::Kind = support::Kind::Sqlite;
