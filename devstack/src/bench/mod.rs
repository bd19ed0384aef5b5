//! What is measured and printed. No test: how fast a machine is does not make the code right or wrong.

mod command;
mod queue;
mod start;

pub use command::BenchCommand;
