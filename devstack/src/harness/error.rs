//! Why a process could not be had.

use std::{io, process::ExitStatus, time::Duration};

/// Why a process of the harness could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HarnessError {
    /// A program is not on this machine.
    #[error("{program} is not installed; install it: apt-get install {package}")]
    Missing {
        /// The program.
        program: String,
        /// Debian's and Ubuntu's package that has it.
        package: &'static str,
    },

    /// The program was not found where the caller said it is.
    #[error("there is no program {program}; build it first: cargo build")]
    NotBuilt {
        /// The path that was tried.
        program: String,
    },

    /// A Docker engine takes rights that this process has not.
    #[error("only root may start a Docker engine; run this as root, or name an engine with DOCKER_HOST")]
    NotRoot,

    /// Two engines with a network of their own would overwrite each other's packet filter.
    #[error(
        "another Docker engine runs on this machine; stop it, or use it with DOCKER_HOST=unix:///var/run/docker.sock"
    )]
    EngineRuns,

    /// The engine belongs to the machine.
    #[error("the engine at {host} is the machine's, and neither stopped nor started from here")]
    NotOurs {
        /// Its address.
        host: String,
    },

    /// The operating system refused something.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: io::Error,
    },

    /// A process ended that should have stayed.
    #[error("{name} ended with {status}; it said last:\n{said}")]
    Ended {
        /// The process.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its output.
        said: String,
    },

    /// Something did not happen in time.
    #[error("{name} did not {what} within {within:?}; it said last:\n{said}")]
    TooSlow {
        /// The process.
        name: String,
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
        /// The end of its output.
        said: String,
    },
}

impl HarnessError {
    /// For `map_err`: what was tried when the system refused.
    pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
