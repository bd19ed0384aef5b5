//! `devstack bench queue`: what the queue's operations cost.

mod command;
mod measure;
mod report;

pub(super) use command::QueueBench;
