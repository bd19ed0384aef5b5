//! Warm runners: which are to be made, and what becomes of a runner without a job where some are kept.

use std::{sync::Arc, time::Duration};

use shared::{
    model::{JobId, Pool, Pools, Scope},
    queue::{Idle, IdleRunner, Lease, QueueError, Room},
    telemetry::chain,
};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::debug;

use super::job::Runner;
use crate::{context::Context, provider::Provider};

/// How often it is asked what becomes of a runner without a job, where warm ones are kept.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(5);

/// How often it is looked whether the engine has another image by the same name.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Leases a warm runner of `pool` to this worker, if one is wanted.
///
/// Not cancel-safe, as [`Queue::refill`](shared::queue::Queue::refill) is not.
///
/// # Errors
///
/// [`QueueError`]: ask again after a pause.
pub async fn refill<P>(context: &Context<P>, pool: &Pool) -> Result<Option<Lease>, QueueError> {
    let now = now(context, pool).await?;
    let wanted = |scope: &Scope| (scope.clone(), pool.warm.wanted(scope, now));
    let wanted: Vec<(Scope, u32)> = pool.warm.scopes.iter().map(wanted).filter(|(_, runners)| *runners > 0).collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    context.queue.refill(pool, &context.worker, JobId::warm(fastrand::u32(..)), &wanted).await
}

/// What time it is, where that matters.
async fn now<P>(context: &Context<P>, pool: &Pool) -> Result<OffsetDateTime, QueueError> {
    if pool.warm.hours.are_all() { Ok(OffsetDateTime::UNIX_EPOCH) } else { context.queue.now().await }
}

/// What is known of a runner that may be kept warm.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    /// Whether it was told to stay, for whichever job comes.
    stays: bool,
    /// The settings by which its image was looked at last, when, and whether it was outdated.
    looked: Option<(Arc<Pools>, Instant, bool)>,
}

impl Candidate {
    /// Whether it waits for whichever job comes.
    pub(super) fn stays(&self, lease: &Lease) -> bool {
        self.stays || lease.job_id().is_warm()
    }

    /// Whether warm runners are, or were, kept where it is.
    pub(super) fn is_one<P>(&self, context: &Context<P>, lease: &Lease) -> bool {
        let pools = context.pools.all();
        let keeps = |pool: &Pool| pool.warm.runners > 0 && pool.warm.scopes.contains(&lease.job.scope);
        self.stays(lease) || pools.current(lease.pool()).is_some_and(keeps)
    }

    /// Asks what becomes of it. While that cannot be found out, it stays.
    pub(super) async fn ask<P: Provider>(
        &mut self,
        context: &Context<P>,
        lease: &Lease,
        runner: &Runner,
        job_is_gone: bool,
    ) -> Idle {
        let answer = async {
            let pools = context.pools.all();
            let (mut wanted, mut is_outdated) = (0, false);
            if let Some(pool) = pools.current(lease.pool()) {
                wanted = pool.warm.wanted(&lease.job.scope, now(context, pool).await?);
                is_outdated = self.is_outdated(context, runner, (&pools, pool)).await;
            }
            let room = room(context, lease).await?;
            context.queue.spare(lease, IdleRunner { wanted, job_is_gone, is_outdated, room }).await
        };
        let idle = answer.await.unwrap_or_else(|error| {
            debug!(runner.name = %runner.handle.name, error = %chain(&error), "Cannot ask what becomes of the runner yet");
            Idle::Stay
        });
        self.stays |= idle == Idle::Stay;
        idle
    }

    /// Whether a new runner would be of another image.
    async fn is_outdated<P: Provider>(
        &mut self,
        context: &Context<P>,
        runner: &Runner,
        (pools, pool): (&Arc<Pools>, &Pool),
    ) -> bool {
        match &self.looked {
            Some((by, at, outdated)) if Arc::ptr_eq(by, pools) && at.elapsed() < LOOK_EVERY => *outdated,
            _ => {
                // An engine that is away says so elsewhere.
                let same = context.report(context.provider.is_of(&runner.handle, &pool.image).await).unwrap_or(true);
                self.looked = Some((Arc::clone(pools), Instant::now(), !same));
                !same
            }
        }
    }
}

/// Whether this worker has room for another runner, and if not, whether a job of another pool waits for that.
async fn room<P>(context: &Context<P>, lease: &Lease) -> Result<Room, QueueError> {
    if context.keeper.has_room() {
        return Ok(Room::Enough);
    }
    for pool in context.pools.names().iter().filter(|pool| *pool != lease.pool()) {
        if context.queue.has_startable(pool).await? {
            return Ok(if context.keeper.yields() { Room::Needed } else { Room::None });
        }
    }
    Ok(Room::None)
}
