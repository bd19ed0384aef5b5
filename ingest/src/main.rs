//! The `ingest` process.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use ingest::{config::Settings, startup::Application};
use shared::{settings::Environment, shutdown, telemetry, version};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// The exit code for settings that cannot be used, as for a wrong command line.
const USAGE: u8 = 2;

/// Receives GitHub's webhooks and stores the jobs they ask for in the queue.
///
/// All settings come from environment variables, or from a file `.env` in the working directory.
#[derive(Parser)]
#[command(version = version::FULL)]
struct Arguments {}

#[tokio::main]
async fn main() -> ExitCode {
    Arguments::parse();
    let settings = match Settings::read(Environment::read()) {
        Ok(settings) => settings,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(USAGE);
        }
    };
    telemetry::init(settings.telemetry);
    match serve(settings).await {
        Ok(()) => {
            info!("Stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!(error = format!("{error:#}"), "Stopped by a failure");
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGTERM or SIGINT.
async fn serve(settings: Settings) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let application = Application::build(settings)?;
    let signals = async { shutdown::on_signal(shutdown.clone()).await.context("cannot listen for signals") };
    let serving = async {
        let served = application.run_until_stopped(shutdown.clone()).await;
        shutdown.cancel(); // ends the wait for signals as well
        served
    };
    tokio::try_join!(signals, serving).map(drop)
}
