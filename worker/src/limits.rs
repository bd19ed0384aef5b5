//! Tells the queue the pools' limits, and has pools that were stopped tried again: at the start, and when `pools.toml` was read again.

use shared::{backoff::Backoff, queue::QueueError, telemetry::chain};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::context::Context;

/// Tells them once, for as long as it takes, or until `stop`.
pub(crate) async fn tell<P>(context: &Context<P>, stop: &CancellationToken) {
    let mut failures = 0;
    while let Err(error) = tell_once(context).await {
        warn!(error = %chain(&error), "Cannot tell the queue the limits yet");
        let pause = Backoff::RECONNECT.jittered(failures).max(Backoff::RECONNECT.base);
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
        failures = failures.saturating_add(1);
    }
}

async fn tell_once<P>(context: &Context<P>) -> Result<(), QueueError> {
    context.queue.set_limits(&context.pools.all()).await?;
    context.queue.try_again(&context.pools.names()).await
}

/// Tells those that change, until `stop`.
pub(crate) async fn follow<P>(context: &Context<P>, stop: CancellationToken) {
    let mut changes = context.pools.live().changes();
    while let Some(Ok(())) = stop.run_until_cancelled(changes.changed()).await {
        tell(context, &stop).await;
    }
}
