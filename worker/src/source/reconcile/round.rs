//! One comparison of the queue with GitHub.

use std::{collections::HashSet, sync::Arc, time::Duration};

use shared::{
    github::{Github, GithubError, Kind},
    model::{Pools, RunnerNamePrefix},
    queue::{Memo, Queue, QueueError},
    telemetry::chain,
};

use super::{Problem, Report, hooks, registrations, sweep};
use crate::provider::Provider;

/// One comparison of the queue with GitHub. Each of its steps is bounded, and goes on where the last round did not get to.
#[derive(Debug)]
pub struct Round<'a, P> {
    /// The queue.
    pub queue: &'a Queue,
    /// GitHub.
    pub github: &'a Github,
    /// The engine of this host.
    pub provider: &'a P,
    /// All pools.
    pub pools: Arc<Pools>,
    /// What the names of our runners begin with.
    pub prefix: &'a RunnerNamePrefix,
    /// How long something has been as it is before it is taken for left over, and not for under way.
    pub after: Duration,
    /// Whether to change nothing, and only say what there is to do.
    pub dry_run: bool,
}

/// Why a round goes no further.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    /// GitHub wants no more calls, or is away.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// The queue is away.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl<P: Provider> Round<'_, P> {
    /// Makes the comparison. Dropped half-way, it has done what it has done, and the next one does the rest.
    pub async fn run(&self) -> Report {
        let mut report = Report::default();
        if let Err(halt) = self.steps(&mut report).await {
            report.halted = Some(chain(&halt));
        }
        report
    }

    async fn steps(&self, report: &mut Report) -> Result<(), Halt> {
        let seen = self.queue.seen().await?;
        if !self.dry_run {
            self.queue.forget(&seen).await?;
        }
        let origins = seen.origins;
        for origin in &origins {
            if let Some(id) = origin.installation {
                self.github.learn_installation(origin.repository.owner(), id);
            }
        }
        hooks::look(self, &origins, report).await?;
        sweep::look(self, &origins, report).await?;
        registrations::look(self, &origins, report).await
    }

    /// The items with their names, those in front that were looked at the longest ago.
    pub(super) async fn in_turn<T>(
        &self,
        looks: Memo,
        items: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Result<Vec<(String, T)>, Halt> {
        let mut before = self.queue.memos(looks).await?;
        let mut items: Vec<(String, T)> = items.into_iter().map(|item| (name(&item), item)).collect();
        items.sort_by_cached_key(|(name, _)| before.get(name).copied());
        for (name, _) in &items {
            before.remove(name);
        }
        if !self.dry_run {
            self.queue.cross_out(looks, &before.into_keys().collect::<Vec<_>>()).await?;
        }
        Ok(items)
    }

    /// Ends the look at one item. What GitHub refuses for good is a problem of that one alone, and the round goes on.
    pub(super) async fn looked(
        &self,
        looks: Memo,
        name: &str,
        step: &str,
        look: Result<(), Halt>,
        report: &mut Report,
    ) -> Result<(), Halt> {
        if !self.dry_run {
            // Also after a failure: the others have their turn first.
            self.queue.put_down(looks, name, self.queue.time().await?).await?;
        }
        match look {
            Err(Halt::Github(error)) if matches!(error.kind(), Kind::Permanent | Kind::NameTaken) => {
                let problem = Problem::refused(step, &error);
                let known: HashSet<&str> = report.problems.iter().map(|problem| problem.cause.as_str()).collect();
                if !known.contains(problem.cause.as_str()) {
                    report.problems.push(problem);
                }
                Ok(())
            }
            look => look,
        }
    }
}
