//! A process that this one owns: in a process group of its own, so that a Ctrl-C at the terminal reaches only its
//! owner, who then stops it in order; killed and reaped when dropped.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::{error::HarnessError, lines::Lines};

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(10);

/// How long the last output of an ended process may take through its pipe; longer only if a child of its holds the pipe.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running or ended process, with what it printed.
#[derive(Debug)]
pub(super) struct OwnedChild {
    name: String,
    child: Child,
    lines: Lines,
}

impl OwnedChild {
    /// Starts `command`, and keeps what it prints.
    pub(super) fn spawn(name: &str, command: &mut Command, echo: bool) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
        let lines = Lines::default();
        let echo = echo.then(|| name.to_owned());
        if let Some(stream) = child.stdout.take() {
            lines.read(stream, echo.clone());
        }
        if let Some(stream) = child.stderr.take() {
            lines.read(stream, echo);
        }
        Ok(Self { name: name.to_owned(), child, lines })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), HarnessError> {
        if let Some(status) = self.ended() {
            return Err(self.has_ended(status)); // its number may be another's by now
        }
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|error| HarnessError::system(format!("signal {}", self.name))(error.into()))
    }

    /// Waits for its end, and for all that it has printed.
    pub(super) async fn wait(&mut self, within: Duration) -> Result<ExitStatus, HarnessError> {
        let deadline = Instant::now() + within;
        loop {
            match self.ended() {
                Some(status) => {
                    self.last_words().await;
                    return Ok(status);
                }
                None if Instant::now() > deadline => return Err(self.too_slow("end", within)),
                None => sleep(LOOK).await,
            }
        }
    }

    /// Waits for what it printed last, which may still be on its way.
    async fn last_words(&self) {
        let deadline = Instant::now() + LAST_WORDS;
        while self.lines.are_open() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }

    /// Waits until it has printed a line that contains `text`, and returns the line.
    pub(super) async fn printed(&mut self, text: &str, within: Duration) -> Result<String, HarnessError> {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.ended();
            if ended.is_some() {
                self.last_words().await;
            }
            match (self.lines.find(text), ended) {
                (Some(line), _) => return Ok(line),
                (None, Some(status)) => return Err(self.has_ended(status)),
                (None, None) if Instant::now() > deadline => {
                    return Err(self.too_slow(&format!("print {text:?}"), within));
                }
                (None, None) => sleep(LOOK).await,
            }
        }
    }

    /// Ends it at once and reaps it.
    pub(super) fn kill(&mut self) {
        if self.ended().is_none() {
            self.child.kill().unwrap_or_default();
            self.child.wait().map_or_else(drop, drop);
        }
    }

    /// Ends it with SIGTERM, or at once when it is not gone after `grace`. Blocks; for `drop`.
    pub(super) fn stop(&mut self, grace: Duration) {
        let deadline = Instant::now() + grace;
        if self.signal(Signal::TERM).is_ok() {
            while self.ended().is_none() && Instant::now() < deadline {
                thread::sleep(LOOK);
            }
        }
        self.kill();
    }

    pub(super) fn has_ended(&self, status: ExitStatus) -> HarnessError {
        HarnessError::Ended { name: self.name.clone(), status, said: self.lines.last() }
    }

    pub(super) fn too_slow(&self, what: &str, within: Duration) -> HarnessError {
        HarnessError::TooSlow { name: self.name.clone(), what: what.to_owned(), within, said: self.lines.last() }
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        self.kill();
    }
}
