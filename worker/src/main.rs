//! The worker: takes queued jobs and starts ephemeral runners for them.

use std::process::ExitCode;

use clap::Parser as _;
use worker::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Box::pin(Cli::parse().run()).await
}
