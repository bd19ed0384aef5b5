//! Puts the worker together, runs it and takes it apart.

use std::{sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle};
use anyhow::Context as _;
use futures_util::future::join;
use shared::{
    admin::{Admin, ReadinessCheck},
    github::Github,
    model::DockerAccess,
    queue::Queue,
    shutdown,
    telemetry::{self, Registry, chain},
};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    audit,
    config::Settings,
    context::Context,
    dispatch::Dispatch,
    engine::EngineHealth,
    governor::QueueGovernor,
    keeper::Keeper,
    limits,
    metrics::Metrics,
    provider::{Provider, docker::DockerProvider},
    source::reconcile,
    traces::{self, Exporter},
};

/// How long a readiness check waits for the queue.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the last word to the queue may take when the worker stops.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the worker until SIGTERM or SIGINT.
///
/// # Errors
///
/// When it cannot start, or a part of it that has to run for as long as it does has ended.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::init(settings.telemetry);
    let docker = DockerProvider::new(settings.docker.clone(), &settings.default_image);
    let registry = Registry::new("worker");
    let context = Arc::new(context(&settings, docker, &registry)?);
    let exporter = Exporter::new(&settings.traces, &settings.name)?;

    let shutdown = CancellationToken::new();
    // Ends after all jobs' tasks have: until then leases are to be kept.
    let stop = CancellationToken::new();
    let (admin, handle) = admin(&settings, &context, registry)?;
    let mut parts = JoinSet::new();
    parts.spawn(async move { admin.await.context("the private listener failed") });
    let signals = shutdown.clone();
    parts.spawn(async move { shutdown::on_signal(signals).await.context("cannot listen for signals") });
    let (keeping, until) = (Arc::clone(&context), stop.clone());
    parts.spawn(async move {
        join(keeping.keeper.run(until.clone()), keeping.governor.run(until)).await;
        Ok(())
    });
    look_after_queue(&mut parts, &settings, &context, &stop);
    let (told, until) = (Arc::clone(&context), stop.clone());
    parts.spawn(async move {
        traces::run(&told, exporter, until).await;
        Ok(())
    });
    let (watched, until) = (Arc::clone(&context), stop.clone());
    parts.spawn(async move {
        watched.engine.run(&watched.provider, until).await;
        Ok(())
    });

    let (live, until) = (settings.pools.live().clone(), stop.clone());
    parts.spawn(async move { live.follow(until).await.context("cannot listen for SIGHUP") });
    let (told, until) = (Arc::clone(&context), stop.clone());
    parts.spawn(async move {
        limits::follow(&told, until).await;
        Ok(())
    });

    info!(worker.name = %settings.name, pools = ?settings.pools.names(), capacity = settings.capacity, "The worker is up");
    warn_of_sockets(&settings);
    let work = work(&settings, &context, shutdown.clone());
    tokio::pin!(work);
    let ended = loop {
        tokio::select! {
            () = &mut work => break Ok(()),
            Some(part) = parts.join_next() => if !shutdown.is_cancelled() {
                let failure = part.context("a part of the worker panicked").and_then(|result| result);
                shutdown.cancel();
                (&mut work).await;
                break Err(failure.err().unwrap_or_else(|| anyhow::anyhow!("a part of the worker ended")));
            },
        }
    };
    stop.cancel();
    handle.stop(false).await;
    while parts.join_next().await.is_some() {}
    close(&context.provider).await;
    // Last: a beat that is under way would put the worker onto the list again.
    farewell(&settings.queue, &settings).await;
    settings.queue.let_go();
    info!("The worker has stopped");
    ended
}

/// Has the queue audited, and compared with GitHub, until `stop`.
fn look_after_queue<P: Provider>(
    parts: &mut JoinSet<anyhow::Result<()>>,
    settings: &Settings,
    context: &Arc<Context<P>>,
    stop: &CancellationToken,
) {
    let (audited, until) = (Arc::clone(context), stop.clone());
    parts.spawn(async move {
        audit::run(&audited, until).await;
        Ok(())
    });
    let (compared, every, until) = (Arc::clone(context), settings.worker.reconcile_seconds, stop.clone());
    parts.spawn(async move {
        reconcile::run(&compared, every, until).await;
        Ok(())
    });
}

fn context(
    settings: &Settings,
    provider: DockerProvider,
    registry: &Registry,
) -> anyhow::Result<Context<DockerProvider>> {
    let (queue, worker, pools) = (settings.queue.clone(), settings.name.clone(), settings.pools.clone());
    let engine = Arc::<EngineHealth>::default();
    let metrics = Metrics::new(registry);
    metrics.serves(&pools.names());
    let governor = Arc::new(QueueGovernor::new(queue.clone(), metrics.clone()));
    Ok(Context {
        queue: queue.clone(),
        github: Github::new(&settings.github)?.governed(Arc::clone(&governor) as _),
        governor,
        provider,
        starts: Semaphore::new(settings.starts),
        pools: pools.clone(),
        worker: worker.clone(),
        prefix: settings.prefix().clone(),
        autoscale_timeout: settings.runner.autoscale_timeout,
        keeper: Keeper::new(queue, worker, pools, settings.capacity, Arc::clone(&engine)),
        engine,
        metrics,
        stopping: CancellationToken::new(),
        leave: CancellationToken::new(),
    })
}

/// Waits for the queue, tells it the pools' limits, and then takes jobs.
async fn work<P: Provider>(settings: &Settings, context: &Arc<Context<P>>, shutdown: CancellationToken) {
    if shutdown.run_until_cancelled(settings.queue.reached()).await.is_none() {
        return;
    }
    limits::tell(context, &shutdown).await;
    if shutdown.is_cancelled() {
        return;
    }
    let dispatch = Dispatch::new(Arc::clone(context), settings.capacity, settings.starts);
    dispatch.run(shutdown, settings.worker.drain_seconds).await;
}

/// The private listener. It is ready while queue and engine are there.
fn admin<P: Provider>(
    settings: &Settings,
    context: &Arc<Context<P>>,
    metrics: Registry,
) -> anyhow::Result<(actix_web::dev::Server, ServerHandle)> {
    let context = Arc::clone(context);
    let ready: ReadinessCheck = Arc::new(move || {
        let context = Arc::clone(&context);
        Box::pin(async move {
            if let Some(problem) = context.engine.problem() {
                return Err(problem);
            }
            match timeout(READY_TIMEOUT, context.queue.ping()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(chain(&error)),
                Err(_elapsed) => Err("the queue does not answer".to_owned()),
            }
        })
    });
    let admin = Admin { ready, metrics, refresh: None };
    let bind = settings.worker.admin_bind;
    let server = HttpServer::new(move || App::new().configure(|config| admin.routes(config)))
        .workers(1)
        .disable_signals()
        .bind(bind)
        .with_context(|| format!("cannot listen on WORKER_ADMIN_BIND ({bind})"))?
        .run();
    let handle = server.handle();
    Ok((server, handle))
}

/// Names the pools that give their jobs the host.
fn warn_of_sockets(settings: &Settings) {
    let (pools, served) = (settings.pools.all(), settings.pools.names());
    for pool in
        served.iter().filter_map(|name| pools.get(name)).filter(|pool| pool.docker.docker == DockerAccess::Socket)
    {
        warn!(%pool.name, "docker = \"socket\": whoever runs a job of this pool is root on the engine's host");
    }
}

async fn close(provider: &impl Provider) {
    match timeout(FAREWELL_TIMEOUT, provider.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(error = %chain(&error), "Cannot remove the runners' network"),
        Err(_elapsed) => warn!("Cannot remove the runners' network: the engine does not answer"),
    }
}

async fn farewell(queue: &Queue, settings: &Settings) {
    match timeout(FAREWELL_TIMEOUT, queue.retire(&settings.name)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(error = %chain(&error), "Cannot take leave of the queue"),
        Err(_elapsed) => warn!("Cannot take leave of the queue: it does not answer"),
    }
}
