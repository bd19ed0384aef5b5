//! What is measured and printed. No test: how fast a machine is does not make the code right or wrong.

mod command;
mod compare;
mod count;
mod figures;
mod ingest;
mod jobs;
mod look;
mod queue;
mod start;
mod store;
mod usage;

pub use command::BenchCommand;
