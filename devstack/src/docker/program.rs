//! What runs in a container.

use std::{
    io::{self, Read},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use super::{Program, hub::Hub, log::Stream};
use crate::runner::{self, Host};

/// The exit code of what was killed.
const KILLED: i64 = 137;

/// How often it is looked whether a runner that boots is killed.
const LOOK: Duration = Duration::from_millis(10);

/// What makes a runner one of GitHub's.
const CREDENTIALS: [&str; 3] = [".runner", ".credentials", ".credentials_rsaparams"];

/// What stands in for `dockerd`.
const DAEMON: &str = "echo \"API listen on /home/runner/.dockerd/docker.sock\"; exec sleep 86400";

/// A running program.
#[derive(Clone, Debug)]
pub(super) enum Handle {
    Runner(Arc<Host>),
    Shell(Pid),
}

impl Handle {
    /// Asks it to end.
    pub(super) fn stop(&self) {
        match self {
            Self::Runner(host) => host.stop(),
            Self::Shell(pid) => kill_process(*pid, Signal::TERM).unwrap_or_default(), // it may just have ended
        }
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        match self {
            Self::Runner(host) => host.kill(),
            Self::Shell(pid) => kill_process_group(*pid, Signal::KILL).unwrap_or_default(),
        }
    }
}

/// How runners behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Whether they print their credentials.
    pub(super) indiscreet: bool,
    /// How long they take until they begin.
    pub(super) boot: Duration,
}

/// Starts a container's program, in threads of its own. The hub hears what it prints, and its end.
pub(super) fn start(
    hub: &Arc<Hub>,
    id: &str,
    (program, manner): (Program, Manner),
    home: Arc<TempDir>,
    env: &[String],
) -> io::Result<Handle> {
    match program {
        Program::Runner => start_runner(hub, id, home, manner),
        Program::Shell => start_shell(hub, id, home, env, "eval \"$SCRIPT\""),
        Program::Daemon => start_shell(hub, id, home, env, DAEMON),
    }
}

fn start_runner(hub: &Arc<Hub>, id: &str, home: Arc<TempDir>, manner: Manner) -> io::Result<Handle> {
    let host = {
        let (printing, printer) = (Arc::clone(hub), id.to_owned());
        let (taking, taker) = (Arc::clone(hub), id.to_owned());
        Arc::new(Host::part(
            move |line| printing.printed(&printer, Stream::Out, format!("{line}\n").as_bytes()),
            move |job| taking.took(&taker, job),
        ))
    };
    let (hub, id, inside) = (Arc::clone(hub), id.to_owned(), Arc::clone(&host));
    thread::Builder::new().name("runner".to_owned()).spawn(move || {
        let begins = Instant::now() + manner.boot;
        while Instant::now() < begins && !inside.is_killed() {
            thread::sleep(LOOK);
        }
        if manner.indiscreet {
            for file in CREDENTIALS.map(|name| home.path().join(name)) {
                hub.printed(&id, Stream::Out, &[std::fs::read(file).unwrap_or_default(), b"\n".to_vec()].concat());
            }
        }
        runner::run(home.path(), &inside);
        hub.ended(&id, if inside.is_killed() { KILLED } else { 0 });
    })?;
    Ok(Handle::Runner(host))
}

fn start_shell(hub: &Arc<Hub>, id: &str, home: Arc<TempDir>, env: &[String], script: &str) -> io::Result<Handle> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(home.path()).process_group(0).stdin(Stdio::null());
    command.envs(env.iter().filter_map(|variable| variable.split_once('=')));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = Pid::from_child(&child);
    let out = child.stdout.take().map(|stream| reader(hub, id, Stream::Out, stream));
    let err = child.stderr.take().map(|stream| reader(hub, id, Stream::Err, stream));
    let (hub, id) = (Arc::clone(hub), id.to_owned());
    thread::spawn(move || {
        let status = child.wait();
        for reader in [out, err].into_iter().flatten() {
            reader.join().unwrap_or_default(); // it has reported what made it panic
        }
        let code = status.map_or(KILLED, |status| {
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
            code.map_or(KILLED, i64::from)
        });
        hub.ended(&id, code);
        drop(home);
    });
    Ok(Handle::Shell(pid))
}

fn reader(hub: &Arc<Hub>, id: &str, stream: Stream, mut output: impl Read + Send + 'static) -> thread::JoinHandle<()> {
    let (hub, id) = (Arc::clone(hub), id.to_owned());
    thread::spawn(move || {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = output.read(&mut piece) {
            hub.printed(&id, stream, &piece[..length]);
        }
    })
}

/// An archive of one file of a runner's home.
pub(super) fn pack(home: &Path, name: &str) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_path_with_name(home.join(name), name)?;
    archive.into_inner()
}

/// Puts the files of an archive into a runner's home.
pub(super) fn unpack(archive: &[u8], home: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(archive);
    archive.set_preserve_ownerships(false);
    archive.unpack(home)
}
