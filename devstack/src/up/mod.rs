//! `devstack up`: the whole stack on one machine, for a first look or against GitHub.

mod command;
pub(crate) mod containers;
pub(crate) mod plan;
mod processes;
mod say;
pub(crate) mod stack;
pub(crate) mod stop;
mod story;
mod text;

pub use command::UpCommand;
