//! `devstack bench queue`: what the queue's operations cost.

mod command;
mod jobs;
mod measure;
mod report;
mod store;

pub(super) use command::QueueBench;
