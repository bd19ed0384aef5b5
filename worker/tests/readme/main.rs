//! The README says what the code does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod fields;
mod metrics;
mod settings;
