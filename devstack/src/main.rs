//! The command `devstack`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use devstack::{
    bench::BenchCommand, deliver::DeliverCommand, github::GithubCommand, harness::EngineCommand, runner::ImageCommand,
    up::UpCommand,
};
use shared::telemetry::{self, TelemetryConfig};

/// Develop, test and show the autoscaler without GitHub
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stand in for GitHub
    Github(GithubCommand),
    /// Sign a webhook and send it, as GitHub does
    Deliver(DeliverCommand),
    /// Build the stand-in runner's image
    RunnerImage(ImageCommand),
    /// Start everything on this machine, and show the way of a first job
    Up(UpCommand),
    /// Run a command with a Docker engine of its own
    Engine(EngineCommand),
    /// Measure how fast things are
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    telemetry::init(TelemetryConfig::default());
    match arguments.command {
        Command::Github(command) => command.run().await.map(|()| ExitCode::SUCCESS),
        Command::Deliver(command) => {
            command.run().await.map(|taken| if taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Up(command) => command.run().await,
        Command::RunnerImage(command) => command.run().await.map(|()| ExitCode::SUCCESS),
        Command::Bench(command) => command.run().await.map(|()| ExitCode::SUCCESS),
        Command::Engine(command) => {
            let code = command.run().await?;
            Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
        }
    }
}
