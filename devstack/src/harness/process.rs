//! One of our own programs.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use super::{Signal, child::OwnedChild, error::HarnessError};

/// Where one of our programs is: beside this one.
///
/// # Errors
///
/// When the system does not say where this one is.
pub(crate) fn program_beside(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// How a program is started.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, OsString>,
    folder: Option<PathBuf>,
    echo: bool,
}

impl ProcessSpec {
    /// A program with an empty environment, but for `PATH`. In a test: `env!("CARGO_BIN_EXE_worker")`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let path = std::env::var_os("PATH").map(|path| ("PATH".to_owned(), path));
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: path.into_iter().collect(),
            folder: None,
            echo: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Sets several variables.
    #[must_use]
    pub fn envs<N: Into<String>, V: Into<OsString>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The folder it runs in: where it looks for `.env`. `/` unless set, so that the developer's own is not read.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Shows what it prints on standard error as well, behind its name.
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.echo = true;
        self
    }

    fn name(&self) -> String {
        self.program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// A running program and what it has printed. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: OwnedChild,
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// [`HarnessError::NotBuilt`], [`HarnessError::System`].
    pub fn start(spec: &ProcessSpec) -> Result<Self, HarnessError> {
        let mut command = Command::new(&spec.program);
        command.args(&spec.arguments).env_clear().envs(&spec.environment);
        command.current_dir(spec.folder.as_deref().unwrap_or(Path::new("/")));
        let child = OwnedChild::spawn(&spec.name(), &mut command, spec.echo).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => HarnessError::NotBuilt { program: spec.program.display().to_string() },
            _ => HarnessError::system(format!("start {}", spec.name()))(error),
        })?;
        Ok(Self { child })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What it has printed so far, on both streams.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.child.lines().all()
    }

    /// Waits for a line that contains `text`, among those already printed too, and returns it.
    ///
    /// # Errors
    ///
    /// [`HarnessError::TooSlow`], [`HarnessError::Ended`].
    pub async fn wait_for_line(&mut self, text: &str, within: Duration) -> Result<String, HarnessError> {
        self.child.printed(text, within).await
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// When it runs no more.
    pub fn signal(&mut self, signal: Signal) -> Result<(), HarnessError> {
        self.child.signal(signal)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.ended()
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`HarnessError::TooSlow`].
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus, HarnessError> {
        self.child.wait(within).await
    }

    /// Ends it with SIGTERM, and waits for it.
    ///
    /// # Errors
    ///
    /// When it had ended before, or does not end in time.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus, HarnessError> {
        self.child.signal(Signal::TERM)?;
        self.child.wait(within).await
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill();
    }
}
