//! `worker dead list|replay|drop`

use anyhow::bail;
use clap::{Args, Subcommand};
use shared::{
    model::{Age, JobId, Scope},
    queue::DeadLetters,
};

use super::jobs::list;
use crate::config::Settings;

/// Shows dead letters, puts them back into the queue, or takes them out.
#[derive(Args, Debug)]
pub(super) struct Dead {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List them, those that died first in front
    List {
        #[command(flatten)]
        which: Which,
        /// How many at most
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Put them back into the queue, with all attempts before them
    Replay(Change),
    /// Take them out for good; their records say so
    Drop(Change),
}

/// What is to be changed.
#[derive(Args, Debug)]
struct Change {
    #[command(flatten)]
    which: Which,
    /// All that meet the conditions; needed where no job is named
    #[arg(long, conflicts_with = "jobs", required_unless_present = "jobs")]
    all: bool,
    /// Only say which they are
    #[arg(long)]
    dry_run: bool,
}

/// Which dead letters are meant.
#[derive(Args, Debug)]
struct Which {
    /// Jobs by GitHub's id; all, if none is named
    #[arg(value_name = "ID")]
    jobs: Vec<JobId>,
    /// Those whose error has this text in it
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Those of this scope: OWNER/REPO, ORG or enterprises/ENTERPRISE
    #[arg(long)]
    scope: Option<Scope>,
    /// Those that died at least so long ago, such as 90s, 30m, 12h or 3d
    #[arg(long, value_name = "AGE")]
    older_than: Option<Age>,
    /// Those that died at most so long ago
    #[arg(long, value_name = "AGE")]
    newer_than: Option<Age>,
}

impl Which {
    fn letters(&self) -> DeadLetters {
        DeadLetters {
            jobs: self.jobs.clone(),
            error: self.error.clone(),
            scope: self.scope.clone(),
            older_than: self.older_than.map(Age::duration),
            newer_than: self.newer_than.map(Age::duration),
        }
    }
}

impl Dead {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let queue = &settings.queue;
        match &self.command {
            Command::List { which, limit } => {
                let found = queue.dead_letters(&which.letters(), *limit).await?;
                anstream::println!("{}", if json { serde_json::to_string(&found)? } else { list(&found) });
                Ok(())
            }
            Command::Replay(change) => {
                let ids = if change.dry_run {
                    change.meant(settings).await?
                } else {
                    queue.replay(&change.which.letters()).await?
                };
                told(&ids, "put back into the queue", change, json)
            }
            Command::Drop(change) => {
                let ids = if change.dry_run {
                    change.meant(settings).await?
                } else {
                    queue.drop_dead(&change.which.letters()).await?
                };
                told(&ids, "dropped", change, json)
            }
        }
    }
}

impl Change {
    async fn meant(&self, settings: &Settings) -> anyhow::Result<Vec<JobId>> {
        let found = settings.queue.dead_letters(&self.which.letters(), usize::MAX).await?;
        Ok(found.into_iter().map(|job| job.id).collect())
    }
}

/// Says what was done. That a job which was named is no dead letter is a failure.
fn told(ids: &[JobId], done: &str, change: &Change, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(ids)?);
    } else {
        let would = if change.dry_run { "would be " } else { "" };
        for id in ids {
            println!("{id}: {would}{done}");
        }
        eprintln!("{} {would}{done}", ids.len());
    }
    let others: Vec<String> =
        change.which.jobs.iter().filter(|id| !ids.contains(id)).map(ToString::to_string).collect();
    if !others.is_empty() {
        bail!("no dead letters, or not among those that are meant: {}", others.join(", "));
    }
    Ok(())
}
