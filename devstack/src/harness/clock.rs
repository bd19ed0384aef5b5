//! A wall clock that can be set while the process runs that goes by it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use super::{error::HarnessError, tool};

/// What is preloaded into the process.
const SOURCE: &str = include_str!("clock.c");

/// The wall clock of a process. Its monotonic clock is the machine's.
#[derive(Debug)]
pub struct Clock {
    /// How many seconds it is ahead. The process has it in its memory.
    ahead: File,
    folder: TempDir,
}

impl Clock {
    /// Makes one that is right. Takes a C compiler.
    ///
    /// # Errors
    ///
    /// When it cannot be compiled.
    pub fn make() -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new().prefix("clock-").tempdir();
        let folder = folder.map_err(HarnessError::system("make a folder for a clock"))?;
        let ahead = File::create(folder.path().join("ahead")).map_err(HarnessError::system("make a clock"))?;
        let clock = Self { ahead, folder };
        clock.set(0)?;
        clock.compile()?;
        Ok(clock)
    }

    /// Lets it be so many seconds ahead of the machine's from now on, or behind it.
    ///
    /// # Errors
    ///
    /// When its file cannot be written.
    pub fn set(&self, seconds: i64) -> Result<(), HarnessError> {
        self.ahead.write_all_at(&seconds.to_ne_bytes(), 0).map_err(HarnessError::system("set a clock"))
    }

    /// The variables of a process that goes by it.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", self.library()), ("CLOCK", self.folder.path().join("ahead"))]
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("clock.so")
    }

    fn compile(&self) -> Result<(), HarnessError> {
        let source = self.folder.path().join("clock.c");
        fs::write(&source, SOURCE).map_err(HarnessError::system("write a clock's source"))?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(self.library()).arg(source);
        tool::run(&mut compiler, "gcc", "compile a clock").map(drop)
    }
}
