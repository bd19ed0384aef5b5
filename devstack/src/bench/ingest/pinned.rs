//! Processes that have one core to themselves, or share it with those that are meant to.

use std::{
    ffi::OsStr,
    fs::File,
    net::Ipv4Addr,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How long a server may take to be there, or to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server on one core. Dropped, it is killed.
#[derive(Debug)]
pub(in crate::bench) struct Pinned {
    child: Child,
    pid: u32,
}

fn command(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset"); // becomes the program: it has the same number
    command.args(["--cpu-list", &core.to_string()]).arg(program).env_clear();
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Pinned {
    /// Starts a server, and waits until it takes connections at the port. What it logs goes to a file, as with most who run one.
    pub(super) async fn start<A: AsRef<OsStr>>(
        core: usize,
        program: &Path,
        arguments: &[A],
        environment: &[(&str, String)],
        port: u16,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = command(core, program);
        command.args(arguments).envs(environment.iter().cloned()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().context("cannot start taskset, of the package util-linux")?;
        let pid = child.id().context("a server ended at once")?;
        let mut server = Self { child, pid };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if let Some(status) = server.child.try_wait()? {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("{} ended with {status}: {said}", program.display());
            }
            ensure!(Instant::now() < deadline, "{} takes no connections", program.display());
            sleep(Duration::from_millis(5)).await;
        }
        Ok(server)
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Has it end in an orderly way (SIGTERM), and waits for that.
    pub(in crate::bench) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a process has an odd number")?;
        kill_process(pid, Signal::TERM)?;
        let ended = timeout(PATIENCE, self.child.wait()).await.context("a server does not end")??;
        ensure!(ended.success(), "a server ended with {ended}");
        Ok(())
    }

    /// Ends it, and waits for that.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot end a server")
    }
}

/// Runs a program on that core to its end, and returns what it printed.
pub(super) async fn run<A: AsRef<OsStr>>(core: usize, program: &Path, arguments: &[A]) -> anyhow::Result<String> {
    let output = command(core, program).args(arguments).output().await.context("cannot start taskset")?;
    check(output.status, &output.stderr, program)?;
    String::from_utf8(output.stdout).context("it prints no text")
}

/// Moves a process that runs, with all its threads, to that core.
pub(super) async fn pin(core: usize, pid: u32) -> anyhow::Result<()> {
    let (core, pid) = (core.to_string(), pid.to_string());
    let moved = Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", &core, &pid]).output().await;
    let moved = moved.context("cannot start taskset, of the package util-linux")?;
    check(moved.status, &moved.stderr, Path::new("taskset"))
}

fn check(status: ExitStatus, said: &[u8], program: &Path) -> anyhow::Result<()> {
    let said = String::from_utf8_lossy(said);
    ensure!(status.success(), "{} ended with {status}: {}", program.display(), said.trim());
    Ok(())
}
