//! `devstack bench ingest`: what a delivery costs, side by side with a server that does the least that is needed.
//!
//! The server is pinned to one core; whoever sends, and Redis, share another. Both run as processes of their own.

mod command;
mod contender;
mod deliveries;
mod extremes;
mod load;
mod measure;
mod minimal;
mod pinned;
mod report;

pub(super) use command::{IngestBench, Payload};
pub(super) use contender::{Contender, Running};
pub(super) use load::LoadCommand;
pub(super) use measure::Sending;
pub(super) use minimal::MinimalCommand;
