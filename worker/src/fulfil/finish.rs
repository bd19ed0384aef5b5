//! What is done when a runner has ended: into the record, away with the container, and the lease settled.

use std::time::Duration;

use shared::{
    backoff::Backoff,
    model::PoolName,
    queue::{Ending, Lease, PostMortem, Progress, Settlement, What},
    telemetry::chain,
};
use time::format_description::well_known::Rfc3339;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use super::{
    job::{RECORD_PAUSE, Runner, record_surely, settle},
    register::clean_up,
    watch::Ended,
};
use crate::{
    cause::Cause,
    context::Context,
    keeper::Hold,
    provider::{Provider, ProviderError, RunnerHandle},
    runner::{Outcome, Remains, post_mortem, settlement, settlement_of_warm},
};

/// How often it is tried to look at a container that has ended, and to remove it before it is left to the janitor.
const TRIES: u32 = 5;

/// How long a removal waits for an engine that is away, each time.
pub(super) const ENGINE_PATIENCE: Duration = Duration::from_secs(30);

/// How soon a pool is tried again whose runners GitHub gives no jobs because of their version.
const TRY_AGAIN: Duration = Duration::from_hours(1);

/// Ends a job whose runner has ended. How it did is written down in the same step as that it did. The slot is free only once the container is gone, so that a limit holds for
/// containers, too; and the container goes only once the queue knows of the runner's end: were this worker to die in
/// between, nothing would tell of it.
pub(super) async fn finish<P: Provider>(
    context: &Context<P>,
    mut lease: Lease,
    hold: Hold,
    runner: Runner,
    ended: Ended,
) {
    let settlement = if lease.job_id().is_warm() {
        settlement_of_warm(&ended.outcome, lease.attempts, Backoff::JOB, ended.listened)
    } else {
        settlement(&ended.outcome, lease.attempts, Backoff::JOB)
    };
    lease.happened(What::Exited, ended.exit.to_string());
    let remains = remains(context, &runner.handle).await;
    let post_mortem = post_mortem(&runner.handle.name, &ended.outcome, &ended.exit, &remains);
    let exited = match &settlement {
        Settlement::Done { detail } => Some(detail.as_str()),
        _ => None,
    };
    let ending = Ending { failed: ended.outcome.is_failure(), post_mortem: &post_mortem };
    let progress = Progress { exited, gone: exited.is_none(), post_mortem: Some(ending), ..Progress::default() };
    if record_surely(context, &mut lease, progress).await.is_err() {
        warn!(runner.name = %runner.handle.name, "Left the ended runner to the job's new worker");
        return;
    }
    put_away(context, &mut lease, &runner.handle, &ended).await;
    if let Outcome::Deprecated { .. } = &ended.outcome {
        stop_pool(context, lease.pool(), &ended.outcome).await;
    }
    settle(context, lease, hold, settlement, Cause::of_outcome(&ended.outcome)).await;
    if !deregisters_itself(&ended.outcome) {
        clean_up(&context.github, &runner.scope, runner.id, &runner.handle.name).await;
    }
}

/// Removes the container of a runner that has ended; that of one that failed is kept, where its pool says so.
async fn put_away<P: Provider>(context: &Context<P>, lease: &mut Lease, handle: &RunnerHandle, ended: &Ended) {
    if let Some(keep) = handle.keep_failed.filter(|_| ended.outcome.is_failure()) {
        match context.report(context.provider.keep(handle).await) {
            Ok(container) => {
                let until = ended
                    .exit
                    .finished_at
                    .and_then(|end| (end + keep).replace_nanosecond(0).ok()?.format(&Rfc3339).ok());
                let until = until.map_or_else(|| format!("for {} s", keep.as_secs()), |until| format!("until {until}"));
                lease.happened(What::Kept, format!("container {container}, {until}"));
                return;
            }
            Err(ProviderError::Gone) => {}
            Err(error) => warn!(runner.name = %handle.name, error = %chain(&error), "Cannot keep the container"),
        }
    }
    if remove(context, handle).await {
        lease.happened(What::Removed, "");
    }
}

/// Lets no more runners of a pool be started in vain, before the job of one comes back to the queue. Tried for as long as it takes,
/// as is to settle the job.
async fn stop_pool<P>(context: &Context<P>, pool: &PoolName, outcome: &Outcome) {
    let pools = context.pools.all();
    let image = pools.get(pool).map_or("(unknown)", |pool| &pool.image);
    let why = format!(
        "{outcome}, which its image {image} has; pull or build a newer one, and start the workers anew, or name another in pools.toml \
         and send them SIGHUP (one job tries it again every {} min)",
        TRY_AGAIN.as_secs() / 60
    );
    error!(%pool, why, "The pool is stopped");
    let mut failures = 0;
    while let Err(error) = context.queue.stop(pool, TRY_AGAIN, &why).await {
        warn!(%pool, error = %chain(&error), "Cannot stop the pool yet");
        sleep(Backoff::RECONNECT.jittered(failures).max(RECORD_PAUSE)).await;
        failures = failures.saturating_add(1);
    }
}

/// Whether GitHub has removed the registration of such a runner: an ephemeral one that completed its job is gone.
fn deregisters_itself(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { result: Some(_), .. } | Outcome::RegistrationDeleted { .. })
}

/// Removes a container and its runner's registration.
pub(super) async fn discard<P: Provider>(context: &Context<P>, runner: &Runner) {
    remove(context, &runner.handle).await;
    clean_up(&context.github, &runner.scope, runner.id, &runner.handle.name).await;
}

/// What is left of a runner; of one whose container is gone, nothing, and of one that cannot be looked at, why.
async fn remains<P: Provider>(context: &Context<P>, handle: &RunnerHandle) -> Remains {
    let mut why = String::new();
    for failures in 0..TRIES {
        match context.report(context.provider.remains(handle, PostMortem::LINES_MAX).await) {
            Ok(remains) => return remains,
            Err(ProviderError::Gone) => return Remains::default(),
            Err(error) => {
                why = chain(&error);
                warn!(runner.name = %handle.name, error = why, "Cannot look at the ended runner yet");
                sleep(Backoff::RECONNECT.jittered(failures)).await;
                drop(timeout(ENGINE_PATIENCE, context.engine.up()).await);
            }
        }
    }
    Remains { log: vec![format!("(what it printed could not be read: {why})")], ..Remains::default() }
}

/// Removes a container; `false` when it is left to the janitor.
pub(super) async fn remove<P: Provider>(context: &Context<P>, handle: &RunnerHandle) -> bool {
    for failures in 0..TRIES {
        match context.report(context.provider.remove(handle).await) {
            Ok(()) => return true,
            Err(error) => {
                warn!(runner.name = %handle.name, error = %chain(&error), "Cannot remove the container yet");
                sleep(Backoff::RECONNECT.jittered(failures)).await;
                // An engine that stays away is no reason to hold on to the job.
                drop(timeout(ENGINE_PATIENCE, context.engine.up()).await);
            }
        }
    }
    false
}
