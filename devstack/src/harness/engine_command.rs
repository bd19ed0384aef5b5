//! `devstack engine -- COMMAND…`: runs a command with a Docker engine of its own.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{Engine, EngineOptions, HarnessError, Signals};

/// The exit code of a shell for a command that was ended by signal N is this and N.
const SIGNALLED: i32 = 128;

/// Starts a private Docker engine, runs a command with `DOCKER_HOST` set to it, and removes the engine with all that
/// is in it. Ends with the command's exit code.
#[derive(Clone, Debug, clap::Args)]
pub struct EngineCommand {
    /// Give containers the default bridge network; one engine on a machine can have it
    #[arg(long)]
    pub bridge: bool,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

impl EngineCommand {
    /// Runs it, and returns the command's exit code: 128 and the signal's number when a signal ended it.
    ///
    /// SIGTERM, SIGINT and SIGHUP are passed on to the command; the engine is removed once it has ended.
    ///
    /// # Errors
    ///
    /// When the engine or the command cannot be started.
    pub async fn run(self) -> Result<i32, HarnessError> {
        // Before the engine starts: a signal that comes meanwhile waits here.
        let mut signals = Signals::listen().map_err(HarnessError::system("listen for signals"))?;
        let engine = Engine::start(EngineOptions { bridge: self.bridge }).await?;
        let (program, arguments) = self.command.split_first().ok_or_else(no_command)?;
        let child = Command::new(program).args(arguments).env("DOCKER_HOST", engine.host()).kill_on_drop(true).spawn();
        let mut child = child.map_err(HarnessError::system(format!("run {}", program.to_string_lossy())))?;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                signal = signals.next() => pass_on(signal, &child),
            }
        };
        let status = status.map_err(HarnessError::system("wait for the command"))?;
        drop(engine);
        Ok(exit_code(status))
    }
}

fn no_command() -> HarnessError {
    HarnessError::NotBuilt { program: String::new() } // clap demands one
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| SIGNALLED + status.signal().unwrap_or_default())
}

fn pass_on(signal: Signal, child: &Child) {
    // At a terminal, Ctrl-C has reached the command already: it is in the same process group.
    if signal == Signal::INT && io::stdin().is_terminal() {
        return;
    }
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        kill_process(pid, signal).unwrap_or_default(); // it may have ended at this moment
    }
}
