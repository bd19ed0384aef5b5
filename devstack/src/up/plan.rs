//! What is to be started: decided and checked before anything is.

use std::{collections::HashMap, path::PathBuf};

use ingest::config::Settings as IngestSettings;
use shared::settings::Environment;
use worker::config::Settings as WorkerSettings;

/// Those that say which credentials there are. A value that cannot be read is no reason to show the stand-in.
const CREDENTIALS: [&str; 3] =
    ["AUTOSCALER_GITHUB_PAT", "AUTOSCALER_GITHUB_APP_ID", "AUTOSCALER_GITHUB_APP_PRIVATE_KEY"];

/// How many runners the stand-in's pool may have, unless it is said: as its file has it.
pub(super) const RUNNERS: u32 = 5;

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is on the other side.
    pub(super) mode: Mode,
    /// The engine of the runners.
    pub(super) engine: EngineChoice,
    /// How many runners the stand-in's pool may have at once.
    pub(super) runners: u32,
}

/// What is on the other side.
#[derive(Debug)]
pub(crate) enum Mode {
    /// GitHub, with the credentials of the environment or of `.env`.
    Github(Box<Real>),
    /// The stand-in.
    StandIn,
}

/// What is known of a stack against GitHub.
#[derive(Debug)]
pub(crate) struct Real {
    /// The settings as ingest reads them.
    pub(super) ingest: IngestSettings,
    /// The settings as the worker reads them.
    pub(super) worker: WorkerSettings,
    /// Whether the settings name a queue: without, there is one that is gone afterwards.
    pub(super) queue: bool,
    /// This process's environment, which both processes are given; they read `.env` themselves.
    pub(super) environment: HashMap<String, String>,
    /// Where `.env` is.
    pub(super) folder: PathBuf,
}

/// Which engine the runners are to live on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum EngineChoice {
    /// The one that the settings name.
    At(String),
    /// The machine's, if it runs, or else one of the stack's own.
    Machines,
    /// One of the stack's own.
    Own,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unusable(String);

impl Plan {
    /// A stack with the stand-in and so many runners at once, whatever credentials there are.
    pub(crate) fn stand_in(runners: u32) -> Self {
        Self { mode: Mode::StandIn, engine: read_host(false), runners }
    }

    /// Reads the environment and `.env`.
    pub(super) fn read(own_engine: bool) -> anyhow::Result<Self> {
        let environment = Environment::read();
        let is_set = |variable: &&str| environment.has(variable) || environment.has_problem(variable);
        let github = CREDENTIALS.iter().any(is_set);
        let queue = environment.has("QUEUE_URL");
        let engine = read_host(own_engine);
        if !github {
            // The stand-in needs no settings: but a misspelt one may be the credentials.
            environment.finish().map_err(|problems| Unusable(problems.to_string()))?;
            return Ok(Self { mode: Mode::StandIn, engine, runners: RUNNERS });
        }
        let (ingest, worker) =
            match (IngestSettings::read(Environment::read()), WorkerSettings::load(Environment::read())) {
                (Ok(ingest), Ok(worker)) => (ingest, worker),
                (ingest, worker) => {
                    let problems = [ingest.err(), worker.err()].map(|problems| problems.map(|text| text.to_string()));
                    return Err(together(problems.into_iter().flatten()).into());
                }
            };
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(unicode).collect();
        let folder = std::env::current_dir()?;
        let real = Real { ingest, worker, queue, environment, folder };
        Ok(Self { mode: Mode::Github(Box::new(real)), engine, runners: RUNNERS })
    }
}

/// The engine that `DOCKER_HOST` names, in the environment or in `.env`.
fn read_host(own: bool) -> EngineChoice {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Host {
        host: Option<String>,
    }
    if own {
        return EngineChoice::Own;
    }
    let host: Host = Environment::read().section("DOCKER_");
    host.host.map_or(EngineChoice::Machines, EngineChoice::At)
}

/// What both processes found wrong, each thing once.
fn together(problems: impl Iterator<Item = String>) -> Unusable {
    let mut lines: Vec<String> = Vec::new();
    for line in problems.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    Unusable(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_processes_find_wrong_is_said_once() {
        let problems = ["the settings:\n  A: is odd\n  B: is odd", "the settings:\n  A: is odd\n  C: is odd"];
        let text = together(problems.into_iter().map(str::to_owned)).to_string();
        assert_eq!(text, "the settings:\n  A: is odd\n  B: is odd\n  C: is odd");
    }
}
