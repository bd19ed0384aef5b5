//! Has the queue audited, from time to time.

use std::time::Duration;

use shared::telemetry::chain;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{context::Context, provider::Provider};

/// How often this worker asks for an audit; the queue sees to it that one in a minute is enough for all.
const INTERVAL: Duration = Duration::from_secs(30);

/// So many dead letters are a reason to look at them.
const DEAD_MANY: u64 = 10_000;

/// Has the pools that this worker serves audited, until `stop`.
pub async fn run<P: Provider>(context: &Context<P>, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(INTERVAL)).await.is_some() {
        for pool in &context.pools.names() {
            match context.queue.audit(pool, context.autoscale_timeout).await {
                Ok(None) => {}
                Ok(Some(report)) => {
                    context.metrics.audited(report.repaired());
                    if report.repaired() > 0 {
                        let repairs = format!("{:?}", report.repairs);
                        warn!(%pool, repairs, "The queue contradicted itself and was repaired: did its store lose writes?");
                    }
                    if report.given_up > 0 {
                        warn!(%pool, jobs = report.given_up, "Jobs waited too long and are dead letters: worker dead list");
                    }
                    if report.dead >= DEAD_MANY {
                        warn!(%pool, jobs = report.dead, "There are many dead letters: worker dead list, replay, drop");
                    }
                }
                Err(error) => warn!(%pool, error = %chain(&error), "Cannot audit the queue"),
            }
        }
    }
}
