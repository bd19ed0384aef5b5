//! A stand-in for a Docker engine: as much of its API (1.41) as runners need, on a socket of its own.
//!
//! A real engine starts a few containers in a second; this one starts hundreds, so that what takes a thousand jobs to
//! show can be shown. Its containers are threads: each is the stand-in runner, with the files that were uploaded into
//! the container, or a shell. It outlives the workers that use it, as an engine does; it counts what they do, and
//! [`Fault`](crate::github::Fault)s are had on demand.

mod answer;
mod beside;
mod config;
mod container;
mod counts;
mod hub;
mod log;
mod program;
mod routes;
mod server;
mod stand_in;

pub use config::{Config, Image, Program};
pub use container::ContainerView;
pub use counts::{Counts, Started};
pub use stand_in::{StandIn, StandInError};
