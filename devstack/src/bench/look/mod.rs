//! `devstack bench look`: how long it takes to see what there is.

mod command;
mod history;
mod measure;
mod report;

pub(super) use command::LookBench;
