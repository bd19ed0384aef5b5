//! Tells the queue the pools' limits: at the start, and when `pools.toml` was read again.

use shared::{backoff::Backoff, telemetry::chain};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::context::Context;

/// Tells them once, for as long as it takes, or until `stop`.
pub(crate) async fn tell<P>(context: &Context<P>, stop: &CancellationToken) {
    let mut failures = 0;
    while let Err(error) = context.queue.set_limits(&context.pools.all()).await {
        warn!(error = %chain(&error), "Cannot tell the queue the limits yet");
        let pause = Backoff::RECONNECT.jittered(failures).max(Backoff::RECONNECT.base);
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
        failures = failures.saturating_add(1);
    }
}

/// Tells those that change, until `stop`.
pub(crate) async fn follow<P>(context: &Context<P>, stop: CancellationToken) {
    let mut changes = context.pools.live().changes();
    while let Some(Ok(())) = stop.run_until_cancelled(changes.changed()).await {
        tell(context, &stop).await;
    }
}
