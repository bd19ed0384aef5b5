//! The commands of `worker`, each in a file of its own. Tables for people, JSON (`--json`) for programs.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a command has to say goes to its output")]

mod dead;
mod doctor;
mod explain;
mod healthcheck;
mod hook;
mod init;
mod job;
mod jobs;
mod limits;
mod queue;
mod reconcile;
mod runners;
mod start;
mod status;
mod still_queued;
mod table;
mod target;
mod token;
mod undelivered;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::{settings::Environment, version};

use crate::{config::Settings, startup};

/// Turns queued workflow jobs into ephemeral runners
#[derive(Debug, Parser)]
#[command(version = version::FULL, max_term_width = 100)]
pub struct Cli {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take jobs from the queue until SIGTERM (the default)
    Run,
    /// Show how many jobs are in which state, and which workers are there
    Status(status::Status),
    /// List jobs
    Jobs(jobs::Jobs),
    /// Show all that is known of a job
    Job(job::Job),
    /// Say why a job is where it is
    Explain(explain::Explain),
    /// Show the runners that are up, or being prepared
    Runners(runners::Runners),
    /// List dead letters, put them back into the queue, or take them out
    Dead(dead::Dead),
    /// Show how many runners there may be, or set it
    Limits(limits::Limits),
    /// Move the queue to another store
    Queue(queue::Queue),
    /// Compare the queue with GitHub now, and put right what webhooks that never came have left
    Reconcile(reconcile::Reconcile),
    /// Look whether everything is there that a job needs, and say what to do where it is not
    Doctor(doctor::Doctor),
    /// Make, correct, list or remove webhooks at GitHub
    Hook(hook::Hook),
    /// Ask the few questions that .env and pools.toml need, and write them
    Init(init::Init),
    /// Say whether the worker in this container is ready, as its image does for Docker
    Healthcheck,
    /// Print a registration token
    Token(token::Token),
    /// Start one runner by hand, and stay with it until it ends
    Start(start::Start),
}

impl Command {
    /// Whether it needs something to authorize calls to GitHub with.
    fn calls_github(&self) -> bool {
        matches!(self, Self::Run | Self::Reconcile(_) | Self::Hook(_) | Self::Token(_) | Self::Start(_))
    }
}

impl Cli {
    /// Does what the command line asks for.
    pub async fn run(self) -> ExitCode {
        let command = self.command.unwrap_or(Command::Run);
        if let Command::Init(init) = &command {
            return exit(init.run(self.json).await); // there need be no settings yet
        }
        if let Command::Healthcheck = command {
            return exit(healthcheck::run().await); // asked every few seconds, and of the worker alone
        }
        let load = if command.calls_github() { Settings::load } else { Settings::load_unauthorized };
        let settings = match load(Environment::read()) {
            Ok(settings) => settings,
            Err(error) if let Command::Doctor(doctor) = &command => {
                return exit(doctor.run(Err(&error), self.json).await);
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        };
        let done = match command {
            Command::Run => startup::run(settings).await,
            Command::Status(status) => status.run(&settings, self.json).await,
            Command::Jobs(jobs) => jobs.run(&settings, self.json).await,
            Command::Job(job) => job.run(&settings, self.json).await,
            Command::Explain(explain) => explain.run(&settings, self.json).await,
            Command::Runners(runners) => runners.run(&settings, self.json).await,
            Command::Dead(dead) => dead.run(&settings, self.json).await,
            Command::Limits(limits) => limits.run(&settings, self.json).await,
            Command::Queue(queue) => queue.run(&settings, self.json).await,
            Command::Reconcile(reconcile) => reconcile.run(&settings, self.json).await,
            Command::Doctor(doctor) => doctor.run(Ok(&settings), self.json).await,
            Command::Hook(hook) => hook.run(&settings, self.json).await,
            Command::Init(_) | Command::Healthcheck => Ok(()), // are done
            Command::Token(token) => token.run(&settings, self.json).await,
            Command::Start(start) => start.run(settings, self.json).await,
        };
        exit(done)
    }
}

fn exit(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_asks_github_wants_a_credential() {
        let calls = |line: &str| Cli::parse_from(line.split(' ')).command.is_none_or(|command| command.calls_github());
        for line in [
            "worker",
            "worker run",
            "worker reconcile",
            "worker token --repo o/r",
            "worker start --org o",
            "worker hook list --org o",
        ] {
            assert!(calls(line), "{line}");
        }
        for line in [
            "worker status",
            "worker jobs",
            "worker job 1",
            "worker runners",
            "worker dead list",
            "worker limits",
            "worker doctor",
        ] {
            assert!(!calls(line), "{line}");
        }
    }
}
