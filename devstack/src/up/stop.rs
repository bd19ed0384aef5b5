//! How the command is told to end before its time.

use std::io;

use tokio::{sync::watch, task::JoinSet};

use super::say::say;
use crate::harness::{Signal, Signals};

/// The exit code of a shell for a command that was ended by signal N is this and N.
const SIGNALLED: i32 = 128;

/// The command was told to end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted by signal {}", .0.as_raw())]
pub(crate) struct Interrupted(Signal);

impl Interrupted {
    /// The command's exit code.
    pub(super) fn code(self) -> u8 {
        u8::try_from(SIGNALLED + self.0.as_raw()).unwrap_or(u8::MAX)
    }
}

/// Knows whether the command was told to end.
#[derive(Debug)]
pub(crate) struct Stop {
    heard: watch::Receiver<Option<Signal>>,
    _listener: JoinSet<()>,
}

impl Stop {
    /// Listens from now on: the signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let (sender, heard) = watch::channel(None);
        let mut listener = JoinSet::new();
        listener.spawn(hear(Signals::listen()?, sender));
        Ok(Self { heard, _listener: listener })
    }

    /// Waits for `what`, which must be cancel-safe, but no longer than until the command is told to end.
    pub(crate) async fn race<F: Future>(&self, what: F) -> Result<F::Output, Interrupted> {
        let mut heard = self.heard.clone();
        tokio::select! {
            biased;
            signal = interruption(&mut heard) => Err(Interrupted(signal)),
            done = what => Ok(done),
        }
    }

    /// Fails if the command was told to end.
    pub(super) fn check(&self) -> Result<(), Interrupted> {
        self.heard.borrow().map_or(Ok(()), |signal| Err(Interrupted(signal)))
    }
}

async fn interruption(heard: &mut watch::Receiver<Option<Signal>>) -> Signal {
    match heard.wait_for(Option::is_some).await.map(|signal| *signal) {
        Ok(Some(signal)) => signal,
        // The listener ends with its owner only.
        _ => std::future::pending().await,
    }
}

/// The first signal ends the command. Those that follow must not end its tidying up: that would leave everything behind.
async fn hear(mut signals: Signals, sender: watch::Sender<Option<Signal>>) {
    let first = signals.next().await;
    say("\nStopping; removing what was started …");
    sender.send_replace(Some(first));
    loop {
        signals.next().await;
        say("Still removing what was started; a moment, please.");
    }
}
