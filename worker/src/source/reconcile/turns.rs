//! Who makes the comparison, and when: one worker at a time, on start and from time to time.

use std::{collections::HashSet, time::Duration};

use shared::telemetry::chain;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Report, Round};
use crate::{context::Context, provider::Provider};

/// How often a worker asks for the turn, at the least.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// Has the queue compared with GitHub, a pause of `every` after the last time, whichever worker made it; never, if that is nothing.
/// Ends with `stop`.
pub async fn run<P: Provider>(context: &Context<P>, every: Duration, stop: CancellationToken) {
    if every.is_zero() || stop.run_until_cancelled(context.queue.reached()).await.is_none() {
        return stop.cancelled().await;
    }
    let mut told = HashSet::new();
    loop {
        match context.queue.take_turn(&context.worker, hold(context)).await {
            Ok(true) => {
                if stop.run_until_cancelled(turn(context, every, &mut told)).await.is_none() {
                    return;
                }
            }
            Ok(false) => {}
            Err(error) => warn!(error = %chain(&error), "Cannot compare the queue with GitHub yet"),
        }
        if stop.run_until_cancelled(sleep(every.min(ASK_EVERY))).await.is_none() {
            return;
        }
    }
}

/// How long the turn is another's once its holder falls silent.
fn hold<P>(context: &Context<P>) -> Duration {
    context.queue.config().lease_seconds
}

async fn turn<P: Provider>(context: &Context<P>, every: Duration, told: &mut HashSet<String>) {
    let round = Round {
        queue: &context.queue,
        github: &context.github,
        provider: &context.provider,
        pools: context.pools.all(),
        prefix: &context.prefix,
        after: every,
        dry_run: false,
    };
    tokio::select! {
        report = round.run() => {
            context.metrics.reconciled(&report);
            tell(report, told);
        }
        () = lost(context) => warn!("The comparison with GitHub took too long; another worker makes it"),
    }
    if let Err(error) = context.queue.end_turn(&context.worker, every).await {
        debug!(error = %chain(&error), "Cannot say that the comparison with GitHub is made");
    }
}

/// Keeps the turn; returns when it is another's.
async fn lost<P>(context: &Context<P>) {
    let hold = hold(context);
    loop {
        sleep(hold / 3).await;
        match context.queue.keep_turn(&context.worker, hold).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => debug!(error = %chain(&error), "Cannot keep the turn"),
        }
    }
}

/// Says what was done, and each problem once for as long as it lasts.
fn tell(report: Report, told: &mut HashSet<String>) {
    let counts = report.counts();
    if counts.iter().any(|(_, count)| *count > 0) {
        let [redelivered, enqueued, closed, deregistered] = counts.map(|(_, count)| count);
        info!(redelivered, enqueued, closed, deregistered, "Compared the queue with GitHub");
    }
    if let Some(why) = report.halted {
        info!(why, "The comparison with GitHub ended early; the next one goes on");
    }
    for problem in report.problems {
        if told.insert(problem.cause) {
            warn!(problem = problem.text, "Cannot compare all with GitHub");
        }
    }
}
