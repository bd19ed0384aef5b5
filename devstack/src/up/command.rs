//! The command itself.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use shared::model::JobState;
use tokio::time::sleep;

use super::{
    plan::{Mode, Plan, Unusable},
    say::say,
    stack::Stack,
    stop::{Interrupted, Stop},
    story, text,
};
use crate::{github::JobSpec, harness::program_beside};

/// The exit code for settings that cannot be used, as of ingest and worker.
const USAGE: u8 = 2;

/// How often it is looked whether all parts run.
const LOOK: Duration = Duration::from_millis(200);

/// Starts queue, ingest and worker: against GitHub where `.env` has credentials, or else against the stand-in, where one
/// job is queued and its way is told line by line. Ctrl-C ends it and leaves nothing behind.
#[derive(Clone, Debug, clap::Args)]
pub struct UpCommand {
    /// End once the first job is done, in place of waiting for Ctrl-C
    #[arg(long)]
    once: bool,

    /// What the first job does, for /bin/sh
    #[arg(long, default_value = "echo hello from $(hostname); sleep 1")]
    script: String,

    /// Start a Docker engine of its own even if the machine has one that runs
    #[arg(long)]
    own_engine: bool,
}

/// How it has ended, if not by a failure.
enum End {
    /// There was nothing more to do, or it was told to end when there was not.
    Done,
    /// It was told to end before.
    Early(Interrupted),
}

impl UpCommand {
    /// Runs the stack until Ctrl-C (SIGINT), SIGTERM or SIGHUP. The exit code is 0 if there was nothing more to do than
    /// to wait for it, or else as that of a shell, 128 and the signal's number; 2 for settings that cannot be used.
    ///
    /// # Errors
    ///
    /// When a part does not start or ends, or the first job does not come to its end.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let stop = Stop::listen().context("cannot listen for signals")?;
        let plan = match Plan::read(self.own_engine) {
            Ok(plan) => plan,
            Err(error) => match error.downcast::<Unusable>() {
                Ok(problems) => {
                    eprintln!("{problems}");
                    return Ok(ExitCode::from(USAGE));
                }
                Err(error) => return Err(error),
            },
        };
        let ran = self.run_plan(&plan, &stop).await;
        // All that was started is gone by now.
        match ran {
            Ok(End::Done) => Ok(ExitCode::SUCCESS),
            Ok(End::Early(interrupted)) => Ok(ExitCode::from(interrupted.code())),
            Err(error) => Err(error),
        }
    }

    async fn run_plan(&self, plan: &Plan, stop: &Stop) -> anyhow::Result<End> {
        let ran = match Stack::found(plan, stop).await {
            Ok(mut stack) => {
                let ran = self.show(&mut stack, plan, stop).await;
                if stop.check().is_ok() {
                    say("\nRemoving what was started …");
                }
                let ended = stack.end().await;
                ran.and_then(|end| ended.map(|()| end))
            }
            Err(error) => Err(error),
        };
        let end = ran.or_else(|error| error.downcast::<Interrupted>().map(End::Early))?;
        say("Nothing is left.");
        Ok(end)
    }

    async fn show(&self, stack: &mut Stack, plan: &Plan, stop: &Stop) -> anyhow::Result<End> {
        stack.start(plan, stop).await?;
        say(format_args!("\nQueue, ingest and worker are up.\n{}", text::table(stack.addresses())));
        let idle = match &plan.mode {
            Mode::Github(real) => {
                say(text::next_at_github(real));
                stop.race(watch(stack)).await
            }
            Mode::StandIn => {
                let first = self.show_first_job(stack, stop).await?;
                if self.once {
                    return Ok(End::Done);
                }
                stop.race(story::tell_all(stack, first)).await
            }
        };
        // It was there to be interrupted.
        idle.map_or(Ok(End::Done), |ended| ended.map(|()| End::Done))
    }

    async fn show_first_job(&self, stack: &mut Stack, stop: &Stop) -> anyhow::Result<u64> {
        let github = &stack.shown().context("there is no stand-in")?.stand_in;
        say("The stand-in for GitHub queues a workflow job. Its way, in seconds since its webhook was delivered:\n");
        let job = github.queue_job(JobSpec {
            name: "hello".to_owned(),
            script: self.script.clone(),
            ..JobSpec::of("octocat/hello".parse()?)
        });
        let queue = stack.queue_url().context("there is no queue")?;
        let next = text::next_at_stand_in(github.url(), queue, &program_beside("worker")?);
        match stop.race(story::tell(stack, job)).await? {
            Ok(JobState::Done) => {}
            Ok(state) => bail!("job {job} is {state}"),
            Err(error) => {
                say(stack.said());
                return Err(error);
            }
        }
        if !self.once {
            say(format_args!("\n{next}"));
        }
        Ok(job)
    }
}

/// Lasts for as long as all parts run. Cancel-safe.
async fn watch(stack: &mut Stack) -> anyhow::Result<()> {
    loop {
        stack.check()?;
        sleep(LOOK).await;
    }
}
