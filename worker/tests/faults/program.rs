//! The processes of a world.

use std::path::PathBuf;

use devstack::harness::{Process, ProcessSpec, Proxy};

/// One of our processes, which can be started again as it was.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) spec: ProcessSpec,
    pub(crate) process: Option<Process>,
    /// What was said by those that were killed.
    pub(crate) past: Vec<String>,
    /// The way to Redis, if it has one of its own.
    pub(crate) proxy: Option<Proxy>,
    /// Of an ingest, its public port; of a worker, the private one.
    pub(crate) port: u16,
    /// Its private port.
    pub(crate) private: u16,
}

impl Program {
    pub(crate) fn start(&mut self) {
        self.process = Some(Process::start(&self.spec).unwrap());
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.past.extend(self.lines());
        self.process = None; // dropped, it is killed
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().unwrap()
    }

    /// Lets go on what its proxy holds back, if it has one.
    pub(crate) fn release(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.release();
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.process.as_ref().map(Process::lines).unwrap_or_default()
    }
}

/// A program of the workspace: cargo puts it beside this test's own folder.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(|deps| deps.parent()).unwrap().join(name)
}
