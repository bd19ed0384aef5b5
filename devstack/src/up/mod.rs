//! `devstack up`: the whole stack on one machine, for a first look or against GitHub.

mod command;
mod containers;
mod plan;
mod processes;
mod say;
mod stack;
mod stop;
mod story;
mod text;

pub use command::UpCommand;
