//! The command itself.
#![allow(clippy::print_stdout, reason = "what a command has to say goes to its output")]

use anyhow::Context as _;
use shared::{settings::Environment, shutdown};
use tokio_util::sync::CancellationToken;

use super::{
    stack::{Mode, Stack},
    story,
};
use crate::github::JobSpec;

/// Starts queue, ingest and worker: against GitHub where `.env` has credentials, or else against the stand-in, where one
/// job is queued and its way is told line by line. Ctrl-C ends it and leaves nothing behind.
#[derive(Clone, Debug, clap::Args)]
pub struct UpCommand {
    /// End once the first job is done, in place of waiting for Ctrl-C
    #[arg(long)]
    once: bool,
}

impl UpCommand {
    /// Runs the stack until Ctrl-C.
    ///
    /// # Errors
    ///
    /// When a part does not start, or the first job does not come to its end.
    pub async fn run(self) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let signals = shutdown::on_signal(stop.clone());
        tokio::pin!(signals);
        let environment = Environment::read();
        let mode = if environment.has("AUTOSCALER_GITHUB_PAT") { Mode::Github } else { Mode::StandIn };
        let mut stack = tokio::select! {
            stack = Stack::start(mode) => stack?,
            signal = &mut signals => return signal.context("cannot listen for signals"),
        };
        let ran = tokio::select! {
            ran = self.show(&mut stack) => ran,
            signal = &mut signals => signal.context("cannot listen for signals"),
        };
        println!("Stopping; removing what was started …");
        let ended = stack.end().await;
        ran.and(ended)
    }

    async fn show(&self, stack: &mut Stack) -> anyhow::Result<()> {
        println!("{}", stack.addresses());
        if let Some(github) = stack.stand_in() {
            println!("\nThe stand-in for GitHub queues one job:\n");
            let job = github.queue_job(JobSpec {
                name: "hello".to_owned(),
                script: "echo hello from $(hostname)".to_owned(),
                ..JobSpec::of("octo-org/hello".parse()?)
            });
            let told = story::tell(stack, job).await;
            if told.is_err() {
                println!("{}", stack.said());
            }
            told?;
        }
        if self.once {
            return Ok(());
        }
        println!("\nCtrl-C ends it.");
        stack.watch().await
    }
}
