//! `devstack bench start`: how long a job's runner takes to start.

mod command;
mod direct;
mod measure;
mod report;
mod timeline;

pub(super) use command::StartBench;
