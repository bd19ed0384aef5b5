//! Ends a runner that no live record stands behind.

use shared::telemetry::chain;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{
    finish,
    job::Runner,
    register::deregister,
    watch::{LAST_WORD, STOP_GRACE},
};
use crate::{
    context::Context,
    provider::{Found, Provider, RunnerState},
    runner::Observed,
};

/// How many lines are read to find out whether a runner works on a job. It prints a dozen.
const LINES: usize = 1000;

/// Removes a container whose job has ended or is not known, and its registration. One whose runner works on a job is left
/// to end; the janitor comes again.
pub async fn retire<P: Provider>(context: &Context<P>, found: Found) {
    let running = found.state == RunnerState::Running;
    let runner = Runner::from(found);
    if running {
        if works(context, &runner).await {
            return;
        }
        match deregister(&context.github, &runner.scope, runner.id, &runner.handle.name).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                warn!(runner.name = %runner.handle.name, error = %chain(&error), "Cannot retire the runner yet");
                return;
            }
        }
        sleep(LAST_WORD).await;
        if works(context, &runner).await {
            return;
        }
        if let Err(error) = context.report(context.provider.stop(&runner.handle, STOP_GRACE).await) {
            warn!(runner.name = %runner.handle.name, error = %chain(&error), "Cannot stop the runner yet");
            return;
        }
    }
    info!(runner.name = %runner.handle.name, "Removing the runner: no live job stands behind it");
    finish::discard(context, &runner).await;
}

/// Whether the runner has taken a job, as far as can be seen; when it cannot be seen, it has.
pub(super) async fn works<P: Provider>(context: &Context<P>, runner: &Runner) -> bool {
    let Ok(lines) = context.report(context.provider.tail(&runner.handle, LINES).await) else { return true };
    let mut observed = Observed::default();
    for line in &lines {
        observed.observe(line);
    }
    observed.job().is_some()
}
