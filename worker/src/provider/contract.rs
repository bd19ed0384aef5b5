//! What a provider promises.

use std::{future::Future, time::Duration};

use futures_util::Stream;
use shared::model::{JobId, PullPolicy};

use super::{Exit, Found, ProviderError, RunnerHandle};
use crate::runner::{Remains, RunnerSpec};

/// Makes, watches and removes the containers that runners run in.
///
/// Each call bounds its own waits, but for [`follow`](Self::follow) and [`wait`](Self::wait), which last as long as the
/// container. Every call may be repeated after an error. Dropping a call half-way may leave a container behind, which
/// [`find`](Self::find) and [`list`](Self::list) show.
pub trait Provider: Send + Sync + 'static {
    /// Finds out whether the engine is there and new enough.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Unavailable`]: start nothing, and ask again. [`ProviderError::Refused`]: it is too old.
    fn ping(&self) -> impl Future<Output = Result<(), ProviderError>> + Send;

    /// Gets `image` ready at the start of the worker: pulls or builds it, as settings and `pull` say.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]. The worker may go on: [`create`](Self::create) tries again to get an image that is absent.
    fn prepare(&self, image: &str, pull: PullPolicy) -> impl Future<Output = Result<(), ProviderError>> + Send;

    /// Makes the container of a runner, with its files in it, and does not start it. An image that is absent is pulled
    /// or built first, unless the pool's policy is never to pull. What its pool wants beside it is made as well, and answers
    /// when this returns. What cannot be made to its end is removed again.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]. After [`ProviderError::Unavailable`] the container may be there nevertheless.
    fn create(&self, spec: &RunnerSpec) -> impl Future<Output = Result<RunnerHandle, ProviderError>> + Send;

    /// Starts a container. One that runs already is left to run.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; [`ProviderError::Gone`] when it was removed.
    fn start(&self, runner: &RunnerHandle) -> impl Future<Output = Result<(), ProviderError>> + Send;

    /// The lines that a runner prints on standard output and standard error, from the first one on, each cut to
    /// 4 KiB. Ends when the container ends, or after an error: then follow it anew, and the lines come again from the
    /// first. What is printed in the last moment may be missing; [`tail`](Self::tail) has it once the container has
    /// ended.
    fn follow(
        &self,
        runner: &RunnerHandle,
    ) -> impl Stream<Item = Result<String, ProviderError>> + Send + Unpin + 'static + use<Self>;

    /// Waits until a started container ends. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Gone`] when it is removed meanwhile ([`Exit::removed`] stands for its end then);
    /// [`ProviderError::Unavailable`]: wait again when the engine is back.
    fn wait(&self, runner: &RunnerHandle) -> impl Future<Output = Result<Exit, ProviderError>> + Send;

    /// The last `lines` lines that a runner printed, each cut to 4 KiB, oldest first.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    fn tail(
        &self,
        runner: &RunnerHandle,
        lines: usize,
    ) -> impl Future<Output = Result<Vec<String>, ProviderError>> + Send;

    /// What is left of a runner: its image and variables, and the last `lines` lines that it printed, as [`tail`](Self::tail)
    /// has them.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; [`ProviderError::Gone`] when it was removed.
    fn remains(
        &self,
        runner: &RunnerHandle,
        lines: usize,
    ) -> impl Future<Output = Result<Remains, ProviderError>> + Send;

    /// Whether a runner's container was made of what `image` stands for now. If the engine does not have that, it is if it has its name.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; [`ProviderError::Gone`] when the container was removed.
    fn is_of(&self, runner: &RunnerHandle, image: &str) -> impl Future<Output = Result<bool, ProviderError>> + Send;

    /// Asks a container to end, kills it after `grace`, and returns when it has ended. One that has ended is no error.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; [`ProviderError::Gone`] when it was removed.
    fn stop(&self, runner: &RunnerHandle, grace: Duration) -> impl Future<Output = Result<(), ProviderError>> + Send;

    /// Removes a container with its anonymous volumes, what stands beside it, and what its jobs have left on an engine that others
    /// use, even if it runs. One that is gone is no error.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; try again later.
    fn remove(&self, runner: &RunnerHandle) -> impl Future<Output = Result<(), ProviderError>> + Send;

    /// Keeps the container of a runner that has failed, and ended, for as long as its handle [says](RunnerHandle::keep_failed): what
    /// stands beside it and runs is removed, and it is no runner's any more, so that neither [`find`](Self::find) nor
    /// [`list`](Self::list) shows it. Returns what it is called then. A later [`tidy`](Self::tidy) removes it. May be repeated.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; [`ProviderError::Gone`] when it was removed.
    fn keep(&self, runner: &RunnerHandle) -> impl Future<Output = Result<String, ProviderError>> + Send;

    /// The containers that were made for a job, by whichever worker on this engine.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    fn find(&self, job: JobId) -> impl Future<Output = Result<Vec<Found>, ProviderError>> + Send;

    /// All containers of runners on this engine, whichever worker made them.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    fn list(&self) -> impl Future<Output = Result<Vec<Found>, ProviderError>> + Send;

    /// Removes what was [kept](Self::keep) for long enough; and what stands beside runners whose containers are gone, or whose
    /// making was not brought to an end. That has to have stood alone for ten minutes, by this provider's own looks: call this
    /// about once a minute.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; what is left goes with a later call.
    fn tidy(&self) -> impl Future<Output = Result<(), ProviderError>> + Send;

    /// The worker ends: removes what was made for all of its runners, unless some are left that use it.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; what is left is found by another worker's [`tidy`](Self::tidy).
    fn close(&self) -> impl Future<Output = Result<(), ProviderError>> + Send;
}
