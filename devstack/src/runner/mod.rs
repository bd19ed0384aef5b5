//! A stand-in for GitHub's runner: the same files in the same places, the same lines on standard output, the same way
//! of stopping. It runs the one shell step of a job that the stand-in for GitHub gives it.
//!
//! One small static program is all of it, under the names that the real runner's scripts have.

mod client;
mod configure;
mod files;
mod host;
#[cfg(feature = "host")]
mod image;
mod listen;
mod program;
mod say;
mod step;

#[cfg(feature = "host")]
pub(crate) use host::Host;
#[cfg(feature = "host")]
pub(crate) use image::RUNNER;
#[cfg(feature = "host")]
pub use image::{ImageCommand, ImageError, RunnerImage};
#[cfg(feature = "host")]
pub(crate) use listen::run;
pub use program::main;
