//! What a runner lives in: where its lines go, and how it is told to stop.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{program::Stop, say};

/// A process of its own, or a thread of the stand-in for Docker.
pub(crate) struct Host {
    print: Box<dyn Fn(&str) + Send + Sync>,
    took: Box<dyn Fn(u64) + Send + Sync>,
    stop: Stop,
    killed: AtomicBool,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("stop", &self.stop).field("killed", &self.killed).finish_non_exhaustive()
    }
}

impl Host {
    /// This process: lines go to standard output.
    pub(super) fn process(stop: Stop) -> Self {
        Self { print: Box::new(say::line), took: Box::new(drop), stop, killed: AtomicBool::new(false) }
    }

    /// A part of this process: lines go to `print`, and the id of a job that was taken goes to `took`.
    #[cfg(feature = "host")]
    pub(crate) fn part(
        print: impl Fn(&str) + Send + Sync + 'static,
        took: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        Self { print: Box::new(print), took: Box::new(took), stop: Stop::default(), killed: AtomicBool::new(false) }
    }

    /// Asks the runner to end, as SIGTERM does.
    #[cfg(feature = "host")]
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the runner as SIGKILL does: it says nothing more to anybody.
    #[cfg(feature = "host")]
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.stop();
    }

    /// Whether it is to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether it is to end without a word.
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    /// Prints a line.
    pub(super) fn line(&self, text: &str) {
        if !self.is_killed() {
            (self.print)(text);
        }
    }

    /// Prints a line that begins with the time.
    pub(super) fn timed(&self, text: &str) {
        self.line(&say::timed(text));
    }

    /// The runner has taken a job.
    pub(super) fn took(&self, job: u64) {
        (self.took)(job);
    }
}
