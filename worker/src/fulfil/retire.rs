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

/// How many lines are read to find out whether a runner works on a job: all, for its log is bounded. Most print a dozen.
const LINES: usize = 1_000_000;

/// What the lines begin with that a runner's worker process prints, where its trace goes to the output: it is there for a job alone. They
/// may be so many that the engine has dropped the line that tells of the job.
const OF_WORKER: &str = "[WORKER ";

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
    context.report(context.provider.tail(&runner.handle, LINES).await).map_or(true, |lines| show_work(&lines))
}

/// Whether a runner with this output has taken a job.
fn show_work(lines: &[String]) -> bool {
    let mut observed = Observed::default();
    for line in lines {
        observed.observe(line);
    }
    observed.job().is_some() || lines.iter().any(|line| line.starts_with(OF_WORKER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_works_also_if_the_line_that_says_so_is_gone() {
        let shows = |lines: &[&str]| show_work(&lines.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(shows(&["2026-01-31 10:00:00Z: Running job: build"]));
        assert!(shows(&["[WORKER 2026-01-31 10:00:00Z INFO JobRunner] Job request"]));
        assert!(!shows(&["2026-01-31 10:00:00Z: Listening for Jobs", "[RUNNER 2026-01-31 10:00:00Z INFO Terminal] x"]));
    }
}
