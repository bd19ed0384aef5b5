//! What an operator does from the command line, before the first job and when one waits: `worker` and `ingest` as processes, a queue,
//! and stand-ins for GitHub and Docker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod doctor;
mod explain;
mod hook;
mod init;
mod terminal;
mod world;
