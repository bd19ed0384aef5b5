//! Registrations of ours that no runner will ever use.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use shared::{
    github::{Deleted, Runner, RunnerStatus},
    model::{Origin, Pools, RunnerName, Scope},
    queue::Memo,
    telemetry::chain,
};
use tracing::info;

use super::{Deregistered, Problem, Report, Round, round::Halt};
use crate::provider::Provider;

/// How many scopes are looked at in a round.
const SCOPES_MAX: usize = 20;

/// Deletes registrations of ours that are offline, and were when they were looked at before.
pub(super) async fn look<P: Provider>(
    round: &Round<'_, P>,
    origins: &[Origin],
    report: &mut Report,
) -> Result<(), Halt> {
    let scopes = round.in_turn(Memo::ScopeLooks, scopes(origins, &round.pools), ToString::to_string).await?;
    if scopes.is_empty() {
        return Ok(());
    }
    let containers: HashSet<RunnerName> = match round.provider.list().await {
        Ok(found) => found.into_iter().map(|found| found.runner.name).collect(),
        Err(error) => {
            let text = format!("cannot look for registrations of runners that are gone: {}", chain(&error));
            report.problems.push(Problem::new(text));
            return Ok(());
        }
    };
    for (name, scope) in scopes.into_iter().take(SCOPES_MAX) {
        let look = look_at(round, &scope, &containers, report).await;
        round.looked(Memo::ScopeLooks, &name, "registrations", look, report).await?;
    }
    Ok(())
}

/// Where runners register, by what is known of where jobs come from.
fn scopes(origins: &[Origin], pools: &Pools) -> BTreeSet<Scope> {
    let of = |origin: &Origin| {
        let serving = pools.iter().filter(|pool| pool.serves(&origin.repository));
        serving.filter_map(|pool| origin.scope(Some(pool)).ok()).collect::<Vec<_>>()
    };
    origins.iter().flat_map(of).collect()
}

async fn look_at<P: Provider>(
    round: &Round<'_, P>,
    scope: &Scope,
    containers: &HashSet<RunnerName>,
    report: &mut Report,
) -> Result<(), Halt> {
    let runners = round.github.list_runners(scope).await?;
    let now = round.queue.time().await?;
    let of_scope = format!("{scope} ");
    let mut before = round.queue.memos(Memo::Offline).await?;
    before.retain(|item, _| item.starts_with(&of_scope));
    for runner in runners {
        if !is_left_over(round, &runner, containers).await? {
            continue;
        }
        let item = format!("{of_scope}{}", runner.id);
        match before.get(&item).copied() {
            None if !round.dry_run => round.queue.put_down(Memo::Offline, &item, now).await?,
            None => {}
            Some(since) if Duration::from_millis(now.saturating_sub(since)) < round.after => drop(before.remove(&item)),
            Some(_) => delete(round, scope, runner, report).await?,
        }
    }
    if !round.dry_run {
        // What is gone, or online again, or was deleted.
        round.queue.cross_out(Memo::Offline, &before.into_keys().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Whether nobody stands behind a registration, as far as can be seen now. A runner that is about to start is offline as well.
async fn is_left_over<P>(
    round: &Round<'_, P>,
    runner: &Runner,
    containers: &HashSet<RunnerName>,
) -> Result<bool, Halt> {
    if runner.status != RunnerStatus::Offline || runner.busy || containers.contains(&runner.name) {
        return Ok(false);
    }
    match runner.name.started_for(round.prefix) {
        Some((job, attempt)) => Ok(!round.queue.is_held(job, attempt).await?),
        None => Ok(runner.name.started_by_hand(round.prefix)),
    }
}

async fn delete<P>(round: &Round<'_, P>, scope: &Scope, runner: Runner, report: &mut Report) -> Result<(), Halt> {
    if !round.dry_run {
        match round.github.delete_runner(scope, runner.id).await? {
            Deleted::Deleted => {}
            // GitHub calls it busy after all, or somebody was faster.
            Deleted::Busy | Deleted::Gone => return Ok(()),
        }
        info!(runner.name = %runner.name, %scope, "Deleted the registration of a runner that is gone");
    }
    report.deregistered.push(Deregistered { runner: runner.name, scope: scope.clone() });
    Ok(())
}
