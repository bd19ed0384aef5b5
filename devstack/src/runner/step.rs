//! A job's one step: a shell that runs its script.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// The real runner sends these to a step that is cancelled, one after the other.
const INTERRUPT_FOR: Duration = Duration::from_millis(7500);
const TERMINATE_FOR: Duration = Duration::from_millis(2500);
/// How much of a step's output is reported.
const LOG_BYTES_MAX: u64 = 256 * 1024;

/// A step that runs.
pub(super) struct Step {
    shell: Child,
    log: PathBuf,
    cancelled: Option<Instant>,
    sent: Option<Signal>,
}

impl Step {
    /// Starts it, in a process group of its own, in the work folder.
    pub(super) fn start(work: &Path, script: &str, env: &BTreeMap<String, String>) -> io::Result<Self> {
        fs::create_dir_all(work)?;
        let log = work.join("_step.log");
        let output = File::create(&log)?;
        let shell = Command::new("/bin/sh")
            .args(["-e", "-c", script])
            .envs(env)
            .current_dir(work)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        Ok(Self { shell, log, cancelled: None, sent: None })
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.shell.try_wait()
    }

    /// Cancels it: to be called again and again until it has ended.
    pub(super) fn cancel(&mut self) {
        let since = self.cancelled.get_or_insert_with(Instant::now).elapsed();
        let signal = if since < INTERRUPT_FOR {
            Signal::INT
        } else if since < INTERRUPT_FOR + TERMINATE_FOR {
            Signal::TERM
        } else {
            Signal::KILL
        };
        if self.sent != Some(signal) {
            self.sent = Some(signal);
            kill_process_group(Pid::from_child(&self.shell), signal).unwrap_or_default(); // it may just have ended
        }
    }

    /// Whether it was cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    /// The end of what it printed.
    pub(super) fn log(&self) -> String {
        read_end(&self.log).unwrap_or_default()
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        // What the script left running ends with the job, as at GitHub.
        kill_process_group(Pid::from_child(&self.shell), Signal::KILL).unwrap_or_default();
        drop(self.shell.wait()); // fails only when it was waited for
    }
}

fn read_end(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
