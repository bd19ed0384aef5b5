//! `devstack bench start`: how long a job's runner takes to start, and what that takes.

mod alone;
mod burst;
mod command;
mod direct;
mod measure;
mod report;
mod resident;
mod startup;
mod timeline;

pub(super) use command::StartBench;
