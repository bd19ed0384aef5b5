//! The stand-ins keep to what GitHub and its runner do, seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // the lints spare test functions only

mod api;
mod commands;
mod container;
mod control;
mod faults;
mod runner;
mod support;
mod webhooks;
