//! `devstack up`: the whole stack on one machine, for a first look or against GitHub.

mod command;
mod stack;
mod story;

pub use command::UpCommand;
