//! Stays with a runner, from its start or its adoption to its end.

use std::time::Duration;

use futures_util::StreamExt as _;
use shared::{
    queue::{Lease, Progress, What},
    telemetry::chain,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::{
    idle::{self, Verdict},
    job::{Runner, record},
    register::deregister,
    retire::works,
    warm::Candidate,
};
use crate::{
    context::Context,
    keeper::Hold,
    provider::{Exit, Provider, ProviderError},
    runner::{Milestone, Observed, Outcome, Retirement},
    stages::{Stage, Stages},
};

/// How soon a retirement that did not come about is tried again.
pub const RETIRE_AGAIN: Duration = Duration::from_mins(1);

/// How long a runner whose registration is gone may take to say that it got a job just before.
pub(super) const LAST_WORD: Duration = Duration::from_secs(2);

/// How long a runner may take to end once it is asked to: it cancels its job in an orderly way.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(90);

/// How many lines are read once more when a container has ended.
const LAST_LINES: usize = 20;

/// How long the end of a container may lag behind the end of its output.
const END_LAG: Duration = Duration::from_secs(2);

/// What became of watching a runner.
#[derive(Debug)]
pub(super) enum Watched {
    /// The runner's container has ended.
    Ended(Box<Ended>),
    /// The worker stops; the runner goes on.
    Left,
    /// Another worker may hold the job.
    Lost,
}

/// A runner that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) exit: Exit,
    /// How long it has listened, with its job if it got one.
    pub(super) listened: Duration,
}

/// What is to be done with a runner when its time comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// Retire it, if it has no job: it idles, or its job was cancelled.
    Retire,
    /// Its registration is gone: stop it, unless it has said by now that it got a job.
    StopIdle,
    /// Its job has taken longer than the pool allows.
    StopJob,
}

/// What is known of a runner while it is watched.
#[derive(Default)]
struct Watch {
    stages: Stages,
    observed: Observed,
    next: Option<(Instant, Next)>,
    /// Its job was cancelled, so it is retired whatever its pool's demand.
    cancelled: bool,
    /// Since when it has waited for a job.
    listening: Option<Instant>,
    /// Why it is stopped, if it is because there is no job for it.
    retired: Option<Retirement>,
    /// What is known of it where warm runners are kept.
    warm: Candidate,
}

/// Watches a runner until it ends, the lease is lost, or the worker stops. Never stops a runner that works on a job, but
/// for the pool's timeout.
pub(super) async fn watch<P: Provider>(
    context: &Context<P>,
    lease: &mut Lease,
    hold: &Hold,
    runner: &Runner,
    stages: Stages,
) -> Watched {
    let mut watch = Watch { stages, ..Watch::default() };
    loop {
        // The output comes from its beginning, each time: what was seen before is not counted twice.
        let mut lines = context.provider.follow(&runner.handle);
        loop {
            tokio::select! {
                line = lines.next() => match line {
                    Some(Ok(line)) => watch.line(context, (lease, hold), &line),
                    Some(Err(error)) => {
                        context.engine.report(&error);
                        break;
                    }
                    None => break,
                },
                () = hold.lost.cancelled() => return Watched::Lost,
                () = context.leave.cancelled() => return leave(context, lease).await,
                () = context.stopping.cancelled(), if watch.is_warm(lease) => return leave(context, lease).await,
                () = hold.cancelled.cancelled(), if !watch.cancelled => watch.cancel(),
                () = due(watch.next) => watch.act(context, lease, runner).await,
            }
        }
        tokio::select! {
            ended = end(context, runner) => if let Some(exit) = ended {
                watch.read_again(context, runner).await;
                let outcome = watch.observed.outcome(&exit, watch.retired);
                return Watched::Ended(Box::new(Ended { outcome, exit, listened: watch.listened() }));
            },
            () = hold.lost.cancelled() => return Watched::Lost,
            () = context.leave.cancelled() => return leave(context, lease).await,
        }
    }
}

/// How the container ended, once its output has; `None` when it runs on, or the engine was away, and it is to be followed anew.
async fn end<P: Provider>(context: &Context<P>, runner: &Runner) -> Option<Exit> {
    match timeout(END_LAG, context.provider.wait(&runner.handle)).await {
        Ok(Ok(exit)) => Some(exit),
        Ok(Err(ProviderError::Gone)) => Some(Exit::removed()),
        Ok(Err(error)) => {
            context.engine.report(&error);
            warn!(runner.name = %runner.handle.name, error = %chain(&error), "Cannot see the runner");
            sleep(END_LAG).await;
            context.engine.up().await;
            None
        }
        Err(_elapsed) => None,
    }
}

/// Leaves the runner to the next worker, with what has happened on the record.
async fn leave<P: Provider>(context: &Context<P>, lease: &mut Lease) -> Watched {
    if let Err(failure) = record(context, lease, Progress { started: true, ..Progress::default() }).await {
        warn!(error = %chain(&failure), "The runner may be another worker's already");
    }
    Watched::Left
}

/// Waits until the next thing is to be done, for ever if there is none.
async fn due(next: Option<(Instant, Next)>) {
    match next {
        Some((at, _)) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Watch {
    /// The runner's own job was cancelled. If it has taken one, it goes on: the other job's time is measured still.
    fn cancel(&mut self) {
        self.cancelled = true;
        if self.observed.job().is_none() {
            self.next = Some((Instant::now(), Next::Retire));
        }
    }

    /// Takes in a line; what is new by it goes onto the record.
    fn line<P: Provider>(&mut self, context: &Context<P>, (lease, hold): (&mut Lease, &Hold), line: &str) {
        let Some(milestone) = self.observed.observe(line) else { return };
        match milestone {
            Milestone::Listening => {
                let version = self.observed.version().map(|version| format!("runner version {version}"));
                lease.happened(What::Listening, version.unwrap_or_default());
                self.stages.reached(Stage::Listening);
                self.listening.get_or_insert_with(Instant::now);
                if self.next.is_none() {
                    let pause = idle::first_ask(context, lease, &self.warm);
                    self.next = Some((Instant::now() + pause, Next::Retire));
                }
            }
            Milestone::Running(job) => {
                info!(job.name = job, "The runner took a job");
                self.stages.reached(Stage::Running);
                lease.happened(What::Running, job);
                let timeout = context.pools.all().get(lease.pool()).and_then(|pool| pool.timeout);
                self.next = timeout.map(|timeout| (Instant::now() + timeout, Next::StopJob));
            }
            Milestone::Completed(_) => return, // comes onto the record with the runner's end
        }
        hold.tell();
    }

    /// Reads the last lines once more: an engine may keep a last line without a line feed from those who follow.
    async fn read_again<P: Provider>(&mut self, context: &Context<P>, runner: &Runner) {
        let lines = context.report(context.provider.tail(&runner.handle, LAST_LINES).await).unwrap_or_default();
        for line in &lines {
            self.observed.observe(line);
        }
    }

    /// Whether it waits for whichever job comes, and none has come.
    fn is_warm(&self, lease: &Lease) -> bool {
        self.observed.job().is_none() && self.warm.stays(lease)
    }

    /// How long it has waited for a job, and worked on it.
    fn listened(&self) -> Duration {
        self.listening.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Does what is due.
    async fn act<P: Provider>(&mut self, context: &Context<P>, lease: &mut Lease, runner: &Runner) {
        let Some((_, next)) = self.next.take() else { return };
        if next != Next::StopJob && self.observed.job().is_some() {
            return; // it works on a job, and what the API says does not matter
        }
        if next != Next::StopJob && works(context, runner).await {
            // What it has printed has yet to come here, or cannot be seen.
            self.next = Some((Instant::now() + RETIRE_AGAIN, next));
            return;
        }
        match next {
            Next::Retire => self.retire(context, lease, runner).await,
            Next::StopIdle => self.stop(context, runner, next).await,
            Next::StopJob => {
                lease.happened(What::Noted, "it took longer than the pool's timeout_seconds and is stopped");
                self.stop(context, runner, next).await;
            }
        }
    }

    /// Takes the registration first, so that GitHub gives the runner no job from now on.
    async fn retire<P: Provider>(&mut self, context: &Context<P>, lease: &mut Lease, runner: &Runner) {
        let mut why = Retirement::NoDemand;
        if !self.cancelled {
            let waited = self.listened();
            match idle::verdict(context, lease, (runner, &mut self.warm), waited).await {
                Verdict::Stay(pause) => {
                    self.next = Some((Instant::now() + pause, Next::Retire));
                    return;
                }
                Verdict::Retire(reason) => why = reason,
            }
        }
        let again = Some((Instant::now() + RETIRE_AGAIN, Next::Retire));
        match deregister(&context.github, &runner.scope, runner.id, &runner.handle.name).await {
            Ok(true) => {
                lease.happened(What::Noted, "the runner is retired: its registration is deleted");
                self.retired = Some(why);
                self.next = Some((Instant::now() + LAST_WORD, Next::StopIdle));
            }
            Ok(false) => self.next = again, // GitHub has just given it a job
            Err(error) => {
                warn!(runner.name = %runner.handle.name, error = %chain(&error), "Cannot retire the runner yet");
                self.next = again;
            }
        }
    }

    /// Stops the runner, or tries again later what was to be done `next`.
    async fn stop<P: Provider>(&mut self, context: &Context<P>, runner: &Runner, next: Next) {
        match context.report(context.provider.stop(&runner.handle, STOP_GRACE).await) {
            Ok(()) | Err(ProviderError::Gone) => {}
            Err(error) => {
                warn!(runner.name = %runner.handle.name, error = %chain(&error), "Cannot stop the runner yet");
                self.next = Some((Instant::now() + RETIRE_AGAIN, next));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::idle::IDLE_MAX, *};

    #[test]
    fn a_runner_that_took_another_job_is_stopped_in_time_though_its_own_was_cancelled() {
        let mut watch = Watch::default();
        watch.observed.observe("2026-01-31 10:00:00Z: Running job: another");
        let in_time = Some((Instant::now() + IDLE_MAX, Next::StopJob));
        watch.next = in_time;
        watch.cancel();
        assert_eq!(watch.next, in_time);
    }

    #[test]
    fn a_runner_without_a_job_is_retired_at_once_when_its_own_is_cancelled() {
        let mut watch = Watch { next: Some((Instant::now() + IDLE_MAX, Next::Retire)), ..Watch::default() };
        watch.cancel();
        assert!(watch.next.is_some_and(|(at, next)| at <= Instant::now() && next == Next::Retire));
    }
}
