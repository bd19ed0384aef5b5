//! One job, from its lease to its settlement.

use std::{sync::Arc, time::Duration};

use shared::{
    backoff::Backoff,
    github::{Job, JobStatus, Kind},
    model::{Pool, Registration, RunnerId, RunnerName, Scope},
    queue::{Lease, Progress, QueueError, Settlement, What},
    telemetry::chain,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

use super::{
    Failure, finish, register,
    register::clean_up,
    retire::works,
    start::{go_on, start},
    watch,
};
use crate::{
    cause::Cause,
    context::Context,
    keeper::Hold,
    provider::{Found, Provider, RunnerHandle, RunnerState},
    runner::RunnerSpec,
    stages::{Stage, Stages},
};

/// A job that has waited for less is taken to wait at GitHub as well.
const SURE_FOR: Duration = Duration::from_mins(1);

/// The least pause before the record is written to again.
pub(super) const RECORD_PAUSE: Duration = Duration::from_millis(50);

/// A runner whose container is there.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) handle: RunnerHandle,
    pub(super) scope: Scope,
    /// GitHub's id of it, if it is known.
    pub(super) id: Option<RunnerId>,
}

impl From<Found> for Runner {
    fn from(found: Found) -> Self {
        Self { handle: found.runner, scope: found.scope, id: found.runner_id }
    }
}

/// Gives a leased job its runner and stays with it until it is gone, the lease is lost, or the worker stops.
/// `preparing` is the right to prepare a runner, given back once it is started.
pub async fn fulfil<P: Provider>(
    context: Arc<Context<P>>,
    mut lease: Lease,
    mut hold: Hold,
    preparing: OwnedSemaphorePermit,
) {
    let reserved = Instant::now();
    let mut stages = Stages::reserved(&context.metrics, &lease);
    learn_installation(&context, &lease);
    let name = RunnerName::new(&context.prefix, lease.job_id(), lease.id().attempt);
    match prepare(&context, &mut lease, &mut hold, &name, &mut stages).await {
        Ok(runner) => {
            context.metrics.started(reserved.elapsed());
            stages.reached(Stage::Started);
            drop(preparing);
            watch_to_its_end(&context, lease, hold, runner, stages).await;
        }
        Err(failure) => {
            drop(preparing);
            give_up(&context, lease, hold, &name, &failure).await;
        }
    }
}

/// Stays with a runner that another worker, or this one before a restart, has started.
pub async fn adopt<P: Provider>(context: Arc<Context<P>>, mut lease: Lease, hold: Hold, found: Found) {
    info!(runner.name = %found.runner.name, "Adopted the runner");
    learn_installation(&context, &lease);
    if found.state == RunnerState::Created {
        let reason = "its worker ended before the runner was started".to_owned();
        if gone(&context, &mut lease).await.is_err() {
            return;
        }
        finish::discard(&context, &found.into()).await;
        let settlement = Settlement::Release { delay: Duration::ZERO, reason };
        settle(&context, lease, hold, settlement, Some(Cause::WorkerEnded)).await;
        return;
    }
    watch_to_its_end(&context, lease, hold, found.into(), Stages::default()).await;
}

/// A job that came through a GitHub App's webhook says which of the App's installations GitHub is to be asked with.
pub(super) fn learn_installation<P>(context: &Context<P>, lease: &Lease) {
    if let (Some(repository), Some(id)) = (&lease.job.repository, lease.job.installation_id) {
        context.github.learn_installation(repository.owner(), id);
    }
}

/// Makes and starts the runner, or finds the one that an earlier attempt has started.
async fn prepare<P: Provider>(
    context: &Context<P>,
    lease: &mut Lease,
    hold: &mut Hold,
    name: &RunnerName,
    stages: &mut Stages,
) -> Result<Runner, Failure> {
    let most = context.autoscale_timeout;
    if lease.waited > most {
        return Err(Failure::TooOld { waited: lease.waited, most });
    }
    let pools = context.pools.all();
    let pool = pools.get(lease.pool()).ok_or_else(|| Failure::NoPool(lease.pool().clone()))?;
    // Only a job that was leased before can have a container.
    if lease.id().attempt > 1
        && let Some((runner, attempt)) = found_running(context, lease).await?
    {
        let found =
            Progress { started: true, runner: Some(&runner.handle.name), found: Some(attempt), ..Progress::default() };
        record_surely(context, lease, found).await?;
        hold.now_for(attempt);
        *stages = Stages::default();
        return Ok(runner);
    }
    if let Some(status) = obsolete(context, lease).await? {
        return Err(Failure::Obsolete { status });
    }
    go_on(lease, hold)?;
    let scope = lease.job.scope.clone();
    if lease.attempts > 0 && pool.registration == Registration::Token {
        context.github.forget_registration_token(&scope).await;
    }
    let registered = register(&context.github, &scope, pool, name).await?;
    stages.reached(Stage::Registered);
    let id = registered.id;
    let what = id.map_or_else(|| format!("{name}, with a registration token"), |id| format!("{name}, runner {id}"));
    lease.happened(What::Registered, what);
    hold.tell();

    let spec = spec(context, lease, pool, name, registered);
    match start(context, lease, hold, &spec).await {
        Ok(handle) => Ok(Runner { handle, scope, id }),
        Err(Failure::Lost) => Err(Failure::Lost),
        Err(failure) => {
            clean_up(&context.github, &scope, id, name).await;
            Err(failure)
        }
    }
}

/// How far the job got at GitHub, if it waits there no more. Only of one that may have ended without our hearing of it:
/// for others the answer would lag behind the webhook, and cost a call.
async fn obsolete<P>(context: &Context<P>, lease: &Lease) -> Result<Option<JobStatus>, Failure> {
    let Some(repository) = &lease.job.repository else { return Ok(None) };
    if lease.waited < SURE_FOR && lease.replays == 0 {
        return Ok(None);
    }
    match context.github.job(repository, lease.job_id()).await {
        Ok(job) if matches!(job.status, JobStatus::InProgress | JobStatus::Completed) => {
            give_back(context, lease, &job).await?;
            Ok(Some(job.status))
        }
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), Kind::RateLimited { .. }) => Err(error.into()),
        Err(error) => {
            // A token need not be able to read jobs. A runner too many finds no job, and is retired.
            debug!(error = %chain(&error), "Cannot ask GitHub whether the job still waits");
            Ok(None)
        }
    }
}

/// Opens the job again whose runner has taken this one. The webhook that told of it came to nothing if this job had a worker
/// then: its own runner would have taken the other job, and now there will be none.
async fn give_back<P>(context: &Context<P>, lease: &Lease, job: &Job) -> Result<(), Failure> {
    let name = job.runner_name.as_deref().and_then(|name| name.parse::<RunnerName>().ok());
    match name.and_then(|name| name.started_for(&context.prefix)) {
        Some((other, attempt)) if other != lease.job_id() => {
            let ended = (job.status == JobStatus::Completed).then_some("GitHub: completed");
            Ok(context.queue.reopen(lease.pool(), other, attempt, (lease.job_id(), ended)).await?)
        }
        _ => Ok(()),
    }
}

/// The container that an earlier attempt has left on this engine, if there is one of use, and which attempt: one that is up, or
/// one whose runner took the job, and nobody has told of its end. The others are removed: the end of a runner without a job was
/// counted once. A runner that took another job is that job's.
async fn found_running<P: Provider>(context: &Context<P>, lease: &mut Lease) -> Result<Option<(Runner, u64)>, Failure> {
    let mut all = context.report(context.provider.find(lease.job_id()).await)?;
    all.sort_by_key(|found| found.state != RunnerState::Running);
    let mut running = None;
    for found in all {
        let attempt = found.attempt(&context.prefix);
        if context.queue.took_another(lease.pool(), lease.job_id(), attempt).await? {
            continue;
        }
        let (state, runner) = (found.state, Runner::from(found));
        if state == RunnerState::Running && running.is_some() {
            continue; // it may work on a job: the janitor finds out, once this one's has ended
        }
        let is_of_use = match state {
            RunnerState::Created => false,
            RunnerState::Running => true,
            RunnerState::Exited => works(context, &runner).await,
        };
        if is_of_use && running.is_none() {
            lease.happened(What::Adopted, format!("found the runner {} on this host", runner.handle.name));
            running = Some((runner, attempt));
        } else {
            finish::discard(context, &runner).await;
        }
    }
    Ok(running)
}

fn spec<P>(
    context: &Context<P>,
    lease: &Lease,
    pool: &Pool,
    name: &RunnerName,
    registered: super::Registered,
) -> RunnerSpec {
    RunnerSpec {
        name: name.clone(),
        job: Some(lease.job_id()),
        pool: pool.name.clone(),
        worker: context.worker.clone(),
        scope: lease.job.scope.clone(),
        runner_id: registered.id,
        image: pool.image.clone(),
        env: pool.env.clone(),
        docker: pool.docker.clone(),
        keep_failed: pool.keep_failed,
        credentials: registered.credentials,
        labels: pool.labels.clone(),
        runner_group: pool.runner_group.clone(),
    }
}

/// Writes to the record what has happened. A store that is away does not hold up the job: it is written with the
/// next call.
pub(super) async fn record<P>(context: &Context<P>, lease: &mut Lease, progress: Progress<'_>) -> Result<(), Failure> {
    match context.queue.progress(lease, progress).await {
        Err(QueueError::LeaseLost { .. }) => Err(Failure::Stale),
        Err(error) => {
            warn!(error = %chain(&error), "Cannot write to the job's record yet");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// The same, for what has to be in the queue before the container is removed that shows it: tried for as long as it takes.
///
/// # Errors
///
/// [`Failure::Stale`]: another worker may hold the job by now, and its container is that worker's.
pub(super) async fn record_surely<P>(
    context: &Context<P>,
    lease: &mut Lease,
    progress: Progress<'_>,
) -> Result<(), Failure> {
    let mut failures = 0;
    loop {
        match context.queue.progress(lease, progress).await {
            Ok(()) => return Ok(()),
            Err(QueueError::LeaseLost { .. }) => return Err(Failure::Stale),
            Err(error) => {
                if failures == 0 {
                    warn!(error = %chain(&error), "Cannot write to the job's record yet; trying on");
                }
                sleep(Backoff::RECONNECT.jittered(failures).max(RECORD_PAUSE)).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}

/// Has the queue know that nothing of the job's runner is up, so that it is not taken for lost with its container.
pub(super) async fn gone<P>(context: &Context<P>, lease: &mut Lease) -> Result<(), Failure> {
    record_surely(context, lease, Progress { gone: true, ..Progress::default() }).await
}

async fn watch_to_its_end<P: Provider>(
    context: &Context<P>,
    mut lease: Lease,
    hold: Hold,
    runner: Runner,
    stages: Stages,
) {
    info!(runner.name = %runner.handle.name, "The runner is up");
    match watch::watch(context, &mut lease, &hold, &runner, stages).await {
        watch::Watched::Ended(ended) => finish::finish(context, lease, hold, runner, *ended).await,
        watch::Watched::Left => info!(runner.name = %runner.handle.name, "Left the runner to the next worker"),
        watch::Watched::Lost => warn!(runner.name = %runner.handle.name, "Left the runner to the job's new worker"),
    }
}

/// Ends the lease of a job that got no runner.
async fn give_up<P: Provider>(context: &Context<P>, lease: Lease, hold: Hold, name: &RunnerName, failure: &Failure) {
    let is_warm = lease.job_id().is_warm();
    let what = if is_warm { "The warm runner was not made" } else { "The job got no runner" };
    warn!(error = %chain(failure), attempts = lease.attempts, "{what}");
    // The installations of an App have a limit each: what stops one leaves the others.
    if let Some(pause) = failure.pause().filter(|_| context.github.has_one_caller()) {
        let pools: Vec<_> = context.pools.all().iter().map(|pool| pool.name.clone()).collect();
        if let Err(error) = context.queue.pause(&pools, pause, &chain(failure)).await {
            warn!(error = %chain(&error), "Cannot tell the other workers to wait");
        }
    }
    let scope = lease.job.scope.clone();
    let settlement = match failure.settlement(lease.attempts) {
        // There is no job that could die of it, and it may be put right.
        Settlement::Dead { error } if is_warm => Settlement::Retry { delay: Backoff::JOB.most, error },
        settlement => settlement,
    };
    settle(context, lease, hold, settlement, Cause::of_failure(failure)).await;
    if failure.leaves_registration() {
        clean_up(&context.github, &scope, None, name).await;
    }
}

/// Ends the lease and says how; `cause` is counted if the job is tried again. It is in nobody's care from then on, for a beat
/// would take it for lost.
pub(super) async fn settle<P>(
    context: &Context<P>,
    lease: Lease,
    hold: Hold,
    settlement: Settlement,
    cause: Option<Cause>,
) {
    let is_warm = lease.job_id().is_warm();
    let cause = cause.filter(|_| settlement.is_tried_again());
    let settled = context.queue.settle(lease, settlement).await;
    drop(hold);
    match settled {
        Ok(state) => {
            if !is_warm {
                context.metrics.settled(state);
            }
            if let Some(cause) = cause {
                context.metrics.retried(cause);
            }
            info!(job.state = %state, "The job's lease ended");
        }
        Err(error) => warn!(error = %chain(&error), "The job is not settled by this worker"),
    }
}
