//! Makes the container of a registered runner, and starts it.

use shared::queue::{Lease, Progress, QueueError, What};
use tokio::{sync::SemaphorePermit, time::timeout};

use super::{Failure, finish, finish::ENGINE_PATIENCE, job::gone};
use crate::{
    context::Context,
    keeper::Hold,
    provider::{Provider, ProviderError, RunnerHandle, RunnerState},
    runner::RunnerSpec,
};

/// To be asked before each step that cannot be taken back.
pub(super) fn go_on(lease: &Lease, hold: &Hold) -> Result<(), Failure> {
    if lease.cancelled || hold.cancelled.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    if hold.is_fresh() && !hold.lost.is_cancelled() { Ok(()) } else { Err(Failure::Stale) }
}

/// Makes the container and starts it; removes it again if it does not start.
pub(super) async fn start<P: Provider>(
    context: &Context<P>,
    lease: &mut Lease,
    hold: &Hold,
    spec: &RunnerSpec,
) -> Result<RunnerHandle, Failure> {
    let turn = turn(context, hold).await;
    go_on(lease, hold)?;
    let handle = context.report(context.provider.create(spec).await)?;
    lease.happened(What::Created, format!("container {}", short(&handle.id)));
    let mut started = start_held(context, lease, hold, (spec, &handle)).await;
    if let Err(Failure::Provider(ProviderError::Unavailable { .. })) = &started {
        match is_up(context, lease, &handle).await {
            Some(true) => started = Ok(()),
            Some(false) => {}
            // It may be, and then have taken a job: it is left to whoever finds it.
            None => return started.map(|()| handle),
        }
    }
    drop(turn);
    if let Err(failure) = started {
        // Whoever holds the job now may have found the runner up, if it was asked to start.
        if gone(context, lease).await.is_err() && !matches!(failure, Failure::Stale | Failure::Cancelled) {
            return Err(Failure::Lost);
        }
        finish::remove(context, &handle).await;
        return Err(failure);
    }
    lease.happened(What::Started, format!("by worker {}", context.worker));
    hold.tell();
    Ok(handle)
}

/// Waits for a turn at the engine; `None` once it is of no use any more, as [`go_on`] says.
async fn turn<'a, P>(context: &'a Context<P>, hold: &Hold) -> Option<SemaphorePermit<'a>> {
    tokio::select! {
        turn = context.starts.acquire() => turn.ok(),
        () = hold.cancelled.cancelled() => None,
        () = hold.lost.cancelled() => None,
    }
}

/// Starts a container whose slot the queue holds for it. That comes first: a runner that is up while the queue knows only
/// of its preparation would lose its slot with its worker, and another one would be started in it.
async fn start_held<P: Provider>(
    context: &Context<P>,
    lease: &mut Lease,
    hold: &Hold,
    (spec, handle): (&RunnerSpec, &RunnerHandle),
) -> Result<(), Failure> {
    let progress = Progress { started: true, runner: Some(&spec.name), ..Progress::default() };
    match context.queue.progress(lease, progress).await {
        Ok(()) => {}
        Err(QueueError::LeaseLost { .. }) => return Err(Failure::Stale),
        Err(error) => return Err(error.into()),
    }
    go_on(lease, hold)?;
    Ok(context.report(context.provider.start(handle).await)?)
}

/// Whether a container is up whose start was not answered; `None` when the engine stays away.
async fn is_up<P: Provider>(context: &Context<P>, lease: &Lease, handle: &RunnerHandle) -> Option<bool> {
    timeout(ENGINE_PATIENCE, context.engine.up()).await.ok()?;
    let found = context.report(context.provider.find(lease.job_id()).await).ok()?;
    Some(found.iter().any(|found| found.runner.id == handle.id && found.state != RunnerState::Created))
}

/// The part of a container's id that people use.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
