//! The whole way of a job, with its real parts: `ingest` and `worker` as processes, a queue, a Docker engine
//! (`DOCKER_HOST`), and containers. Only GitHub and its runner have stand-ins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod burst;
mod calls;
mod commands;
mod dashboard;
mod engine;
mod errors;
mod job;
mod restart;
mod usual;
mod world;
