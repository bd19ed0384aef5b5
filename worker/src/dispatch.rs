//! Takes jobs from the queue while this host has room for them, and looks after the tasks that work on them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{Fuse, FusedFuture as _, maybe_done},
};
use shared::{
    backoff::Backoff,
    model::PoolName,
    queue::{Lease, Queue, QueueError, Reserved},
    telemetry::chain,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, error, info, info_span, warn};

use crate::{
    context::Context,
    fulfil::{adopt, fulfil, refill, retire, vanished},
    janitor::Janitor,
    keeper::Hold,
    provider::Provider,
};

/// The longest wait for a wake-up before the queue is asked anyway.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How often it is looked for what was left behind, at the least: a runner whose worker fell silent waits for it.
const SWEEP_MAX: Duration = Duration::from_secs(5);

/// How long tasks may take to let go of their runners when the worker stops: the calls that make and start a container
/// are bounded by a minute each.
const LEAVE_MAX: Duration = Duration::from_mins(3);

/// How many jobs are prepared for each container that the engine starts at once: GitHub has registered the next runner when its turn
/// comes. Those beyond stay in the queue, where other workers get them.
const PREPARED_PER_START: usize = 2;

/// Takes jobs and starts a task for each.
#[derive(Debug)]
pub struct Dispatch<P> {
    context: Arc<Context<P>>,
    /// The pools that this worker serves, the one to be asked last in front.
    pools: Vec<PoolName>,
    /// Those that gave a job when they were asked last: if they have more, there is a wake-up for it.
    gave: HashSet<PoolName>,
    /// Room for runners on this host.
    capacity: Arc<Semaphore>,
    /// The right to take one more job than those whose containers are being started.
    preparing: Arc<Semaphore>,
    janitor: Janitor<P>,
    tasks: JoinSet<()>,
}

/// What the queue had.
enum Next {
    Job(Box<Lease>, Hold),
    /// Nothing; something may be there after this long.
    Wait(Duration),
}

impl<P: Provider> Dispatch<P> {
    /// For a host with room for `capacity` runners, whose engine starts `starts` at once.
    #[must_use]
    pub fn new(context: Arc<Context<P>>, capacity: u32, starts: usize) -> Self {
        let permits = |number: usize| Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)));
        Self {
            janitor: Janitor::new(Arc::clone(&context)),
            pools: context.pools.names(),
            gave: HashSet::new(),
            context,
            capacity: permits(usize::try_from(capacity).unwrap_or(usize::MAX)),
            preparing: permits(PREPARED_PER_START * starts),
            tasks: JoinSet::new(),
        }
    }

    /// Works until `shutdown`, then waits up to `drain` for runners to end, and leaves the others to the next worker.
    ///
    /// A task that panics leaves its lease to expire, and the job goes to another worker: that is the one recovery
    /// path.
    pub async fn run(mut self, shutdown: CancellationToken, drain: Duration) {
        shutdown.run_until_cancelled(self.context.engine.up()).await;
        self.sweep().await;
        shutdown.run_until_cancelled(self.prepare_images()).await;
        self.dispatch(&shutdown).await;
        self.stop(drain).await;
    }

    async fn dispatch(&mut self, shutdown: &CancellationToken) {
        let mut sweeps = interval(self.context.queue.config().lease_seconds.min(SWEEP_MAX));
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sweeps.reset(); // the first was just made
        let (capacity, preparing) = (Arc::clone(&self.capacity), Arc::clone(&self.preparing));
        let context = Arc::clone(&self.context);
        // Kept over the turns of the loop: a wait that is dropped would swallow the next wake-up.
        let waiting = Fuse::terminated();
        tokio::pin!(waiting);
        let mut changes = context.pools.live().changes();
        let mut hungry = true;
        loop {
            self.context.metrics.observe(self.context.keeper.count(), self.context.engine.problem().is_none());
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(ended) = self.tasks.join_next() => {
                    report(ended);
                    hungry |= keeps_warm(&context); // one may be wanted in its place
                }
                _ = sweeps.tick() => self.sweep().await,
                Ok(()) = changes.changed() => {
                    self.pools = context.pools.names();
                    context.metrics.serves(&self.pools);
                    hungry = true;
                    waiting.set(Fuse::terminated());
                }
                () = &mut waiting => hungry = true,
                (room, preparing) = room(&context, &capacity, &preparing), if hungry => match self.reserve().await {
                    Next::Job(lease, hold) => self.spawn(*lease, hold, room, preparing),
                    Next::Wait(at_most) => {
                        hungry = false;
                        if !waiting.is_terminated() {
                            continue;
                        }
                        waiting.set(wait(self.context.queue.clone(), self.pools.clone(), at_most).fuse());
                    }
                },
            }
        }
    }

    fn spawn(&mut self, lease: Lease, hold: Hold, room: OwnedSemaphorePermit, preparing: OwnedSemaphorePermit) {
        let span = span(&lease);
        let task = fulfil(Arc::clone(&self.context), lease, hold, preparing);
        self.tasks.spawn(
            async move {
                task.await;
                drop(room);
            }
            .instrument(span),
        );
    }

    /// Asks each pool for a job, a different one first each time. Awaited, never raced: a call that is dropped half-way
    /// leases a job to nobody.
    async fn reserve(&mut self) -> Next {
        let (mut at_most, mut failure) = (WAIT_MAX, None);
        for _ in 0..self.pools.len() {
            self.pools.rotate_left(1);
            if self.gave.contains(&self.pools[0]) {
                continue;
            }
            loop {
                let asked = Instant::now();
                match self.context.queue.reserve(&self.pools[0], &self.context.worker).await {
                    Ok(Reserved::Job(lease)) => {
                        let hold = self.context.keeper.hold(&lease, asked);
                        self.gave.insert(self.pools[0].clone());
                        return Next::Job(lease, hold);
                    }
                    Ok(Reserved::Again) => continue,
                    Ok(Reserved::Full | Reserved::LimitUnknown | Reserved::Empty { next_due: None }) => {}
                    Ok(Reserved::Empty { next_due: Some(due) } | Reserved::Paused(due)) => at_most = at_most.min(due),
                    Err(error @ QueueError::Corrupt { .. }) => {
                        error!(error = %chain(&error), "The job is a dead letter");
                        continue;
                    }
                    // The other pools may be on other servers.
                    Err(error) => failure = failure.or(Some(error)),
                }
                break;
            }
        }
        self.gave.clear();
        if let Some(error) = failure {
            warn!(error = %chain(&error), "Cannot ask the queue for a job");
        }
        match self.refill().await {
            Some((lease, hold)) => Next::Job(lease, hold),
            None => Next::Wait(at_most),
        }
    }

    /// Leases a warm runner, if a pool wants one. Awaited, never raced.
    async fn refill(&self) -> Option<(Box<Lease>, Hold)> {
        let pools = self.context.pools.all();
        let served = self.pools.iter().filter_map(|name| pools.current(name));
        for pool in served.filter(|pool| pool.warm.runners > 0) {
            let asked = Instant::now();
            match refill(&self.context, pool).await {
                Ok(Some(lease)) => {
                    let hold = self.context.keeper.hold(&lease, asked);
                    return Some((Box::new(lease), hold));
                }
                Ok(None) => {}
                Err(error) => warn!(%pool.name, error = %chain(&error), "Cannot ask the queue for a warm runner"),
            }
        }
        None
    }

    /// Takes up what was left behind on this engine.
    async fn sweep(&mut self) {
        if self.context.engine.problem().is_some() {
            return;
        }
        let sweep = self.janitor.sweep().await;
        for (lease, hold, found) in sweep.adopted {
            let span = span(&lease);
            // A runner that is up takes its room. If there is less of it than before, it takes what is freed next: it stands
            // in line from now on, before the next job does.
            let mut room = Box::pin(maybe_done(permit(Arc::clone(&self.capacity))));
            (&mut room).now_or_never();
            let task = adopt(Arc::clone(&self.context), lease, hold, found);
            self.tasks.spawn(
                async move {
                    tokio::pin!(task);
                    tokio::select! {
                        () = &mut task => {}
                        () = &mut room => task.await,
                    }
                }
                .instrument(span),
            );
        }
        for (lease, hold) in sweep.vanished {
            let span = span(&lease);
            self.tasks.spawn(vanished(Arc::clone(&self.context), lease, hold).instrument(span));
        }
        for (found, retiring) in sweep.abandoned {
            let context = Arc::clone(&self.context);
            self.tasks.spawn(async move {
                retire(&context, found).await;
                drop(retiring);
            });
        }
    }

    /// Gets the images of all served pools ready. What fails is tried again for the first job that needs it.
    async fn prepare_images(&self) {
        let pools = self.context.pools.all();
        for pool in self.pools.iter().filter_map(|name| pools.get(name)) {
            for image in [Some(pool.image.as_str()), pool.docker.daemon_image()].into_iter().flatten() {
                let start = Instant::now();
                match self.context.report(self.context.provider.prepare(image, pool.docker.pull).await) {
                    Ok(()) => {
                        info!(%pool.name, image, seconds = start.elapsed().as_secs(), "The image is ready");
                    }
                    Err(error) => warn!(%pool.name, image, error = %chain(&error), "The image is not ready"),
                }
            }
        }
    }

    async fn stop(&mut self, drain: Duration) {
        info!(runners = self.context.keeper.count(), "Stopping: no more jobs are taken");
        self.context.stopping.cancel();
        let tasks = &mut self.tasks;
        let mut all_ended = async || {
            while let Some(ended) = tasks.join_next().await {
                report(ended);
            }
        };
        if timeout(drain, all_ended()).await.is_ok() {
            return;
        }
        self.context.leave.cancel();
        if timeout(LEAVE_MAX, all_ended()).await.is_err() {
            warn!("Some tasks do not end; their leases are left to expire");
        }
    }
}

/// Whether this worker keeps warm runners.
fn keeps_warm<P>(context: &Context<P>) -> bool {
    let pools = context.pools.all();
    context.pools.names().iter().filter_map(|name| pools.current(name)).any(|pool| pool.warm.runners > 0)
}

/// What the lines have in common that are said of a job.
fn span(lease: &Lease) -> Span {
    info_span!("job", job.id = %lease.job_id(), pool = %lease.pool(), trace_id = lease.job.trace_id())
}

/// Waits for room on this host, for the right to prepare one more runner, and for the engine. Cancel-safe.
async fn room<P>(
    context: &Context<P>,
    capacity: &Arc<Semaphore>,
    preparing: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, OwnedSemaphorePermit) {
    let room = permit(Arc::clone(capacity)).await;
    let preparing = permit(Arc::clone(preparing)).await;
    context.engine.up().await;
    (room, preparing)
}

async fn permit(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    match semaphore.acquire_owned().await {
        Ok(permit) => permit,
        Err(_closed) => std::future::pending().await, // nobody closes it
    }
}

/// Waits until the queue may have something. When the queue is away, a pause stands in for it.
async fn wait(queue: Queue, pools: Vec<PoolName>, at_most: Duration) {
    if queue.wait(&pools, at_most).await.is_err() {
        sleep(Backoff::RECONNECT.jittered(3).max(Backoff::RECONNECT.base)).await;
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(error = %chain(&error), "A job's task panicked; its lease will expire");
    }
}
