//! `devstack up` shows what it promises, and leaves nothing behind however it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // the lints spare test functions only

mod failures;
mod github;
mod install;
mod interrupted;
mod processes;
mod story;
mod world;
