//! `worker queue move`

use std::{fs, path::PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use secrecy::SecretString;
use shared::{
    model::JobState,
    queue::{Moved, Queue as JobQueue, QueueError},
};

use super::table::aligned;
use crate::config::Settings;

/// What is to be done after a move.
const NEXT: &str = "Now set QUEUE_URL to the new store, for ingest and for worker, and start both anew.";

/// Looks after what keeps the queue.
#[derive(Args, Debug)]
pub(super) struct Queue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Move all jobs, records and limits to another store. From the first moment on, the old one refuses everything: ingest answers 503, and
    /// runners that are up go on. May be repeated if it was interrupted
    Move(Move),
}

#[derive(Args, Debug)]
struct Move {
    /// Where they are, such as sqlite:PATH; by default where `QUEUE_URL` says
    #[arg(long, value_name = "URL")]
    from: Option<SecretString>,
    #[command(flatten)]
    to: To,
}

/// One of the two. No address is ever printed, for it may hold a password.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct To {
    /// Where they are to go, such as redis://HOST:PORT
    #[arg(long, value_name = "URL")]
    to: Option<SecretString>,
    /// A file with that address: a password on the command line can be seen by others
    #[arg(long, value_name = "PATH")]
    to_file: Option<PathBuf>,
}

impl To {
    fn url(&self) -> anyhow::Result<SecretString> {
        let from_file = |path: &PathBuf| {
            let text =
                fs::read_to_string(path).with_context(|| format!("--to-file: cannot read {}", path.display()))?;
            Ok(SecretString::from(text.trim()))
        };
        match (&self.to, &self.to_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(path)) => from_file(path),
            (None, None) => Err(anyhow!("name one of --to and --to-file")),
        }
    }
}

impl Queue {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let Command::Move(options) = &self.command;
        let from = match &options.from {
            Some(url) => at(settings, url.clone(), "--from")?,
            None => settings.queue.clone(),
        };
        let to = at(settings, options.to.url()?, "--to")?;
        let moved = from.move_to(&to).await.map_err(|error| match error {
            QueueError::SameStore => anyhow!("--to: is the store that the jobs are in"),
            error => anyhow!(error).context("the move did not come to its end; once the cause is gone, repeat it"),
        })?;
        if json {
            println!("{}", serde_json::to_string(&moved)?);
        } else {
            anstream::println!("{}\n{NEXT}", table(&moved));
        }
        for warning in to.check().await? {
            eprintln!("the new store: {warning}");
        }
        Ok(())
    }
}

/// The queue at an address that an option gives.
fn at(settings: &Settings, url: SecretString, option: &str) -> anyhow::Result<JobQueue> {
    JobQueue::new(&settings.queue.config().at(url)).map_err(|error| match error {
        QueueError::Setting { setting: "QUEUE_URL", problem } => anyhow!("{option}: {problem}"),
        error => anyhow!(error),
    })
}

/// A line for each pool, and one for the jobs that no pool takes.
fn table(moved: &Moved) -> String {
    let mut rows = vec![row("POOL", |state| state.as_str().to_uppercase())];
    for pool in &moved.pools {
        rows.push(row(pool.name.as_str(), |state| pool.jobs.get(&state).unwrap_or(&0).to_string()));
    }
    if moved.unmatched > 0 {
        let count = |state| if state == JobState::Unmatched { moved.unmatched } else { 0 };
        rows.push(row("-", |state| count(state).to_string()));
    }
    let right: Vec<usize> = (1..rows[0].len()).collect();
    aligned(&rows, &right).trim_end().to_owned()
}

fn row(first: &str, cell: impl Fn(JobState) -> String) -> [String; JobState::ALL.len() + 1] {
    std::array::from_fn(|column| match column {
        0 => first.to_owned(),
        column => cell(JobState::ALL[column - 1]),
    })
}
