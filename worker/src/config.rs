//! The worker's settings.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;
use shared::{
    github::GithubConfig,
    model::{PoolName, RunnerNamePrefix, WorkerName},
    pools::{self, RunnerConfig, RunnerImageConfig},
    queue::{Queue, QueueConfig, QueueError},
    settings::{self, Environment, SettingsError, WebhookSecrets},
    telemetry::TelemetryConfig,
};

use crate::{provider::docker::DockerConfig, served::ServedPools, traces::TracesConfig};

/// How long after one comparison with GitHub the next one is made, unless it is said.
pub const RECONCILE_EVERY: Duration = Duration::from_mins(5);

/// Settings of this worker alone, from the variables that begin with `WORKER_`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct WorkerConfig {
    /// `WORKER_NAME`, default the host's name. A worker that keeps its name finds its runners again.
    #[serde(deserialize_with = "settings::parsed_some")]
    pub name: Option<WorkerName>,
    /// `WORKER_ADMIN_BIND`, default `127.0.0.1:5002`. The private listener.
    #[serde(deserialize_with = "settings::parsed")]
    pub admin_bind: SocketAddr,
    /// `WORKER_CAPACITY`, 1 to 10000, default `RUNNER_MAX_RUNNERS`. How many runners may be up on this host at once.
    #[serde(deserialize_with = "settings::number_some::<_, 1, 10_000>")]
    pub capacity: Option<u32>,
    /// `WORKER_STARTS`, 1 to 100, default 2 for each processor. How many containers the engine makes and starts at
    /// once: it gets no faster by more.
    #[serde(deserialize_with = "settings::number_some::<_, 1, 100>")]
    pub starts: Option<u32>,
    /// `WORKER_POOLS`, names separated by commas; all pools by default.
    #[serde(deserialize_with = "settings::list")]
    pub pools: Vec<PoolName>,
    /// `WORKER_DRAIN_SECONDS`, 0 to 86400, default 0. How long SIGTERM waits for running jobs; those that are left are adopted by
    /// the next worker.
    #[serde(deserialize_with = "settings::seconds::<_, 0, 86_400>")]
    pub drain_seconds: Duration,
    /// `WORKER_RECONCILE_SECONDS`, 0 to 86400, default 300. How long after one comparison with GitHub the next one is made, by
    /// whichever worker; with 0, this one makes none.
    #[serde(deserialize_with = "settings::seconds::<_, 0, 86_400>")]
    pub reconcile_seconds: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            name: None,
            admin_bind: SocketAddr::from(([127, 0, 0, 1], 5002)),
            capacity: None,
            starts: None,
            pools: Vec::new(),
            drain_seconds: Duration::ZERO,
            reconcile_seconds: RECONCILE_EVERY,
        }
    }
}

/// All settings of the worker, read and checked.
#[derive(Debug)]
pub struct Settings {
    /// Logs.
    pub telemetry: TelemetryConfig,
    /// Traces.
    pub traces: TracesConfig,
    /// The queue.
    pub queue: Queue,
    /// GitHub.
    pub github: GithubConfig,
    /// What deliveries are signed with, if it is set here: only what makes webhooks needs it.
    pub secrets: WebhookSecrets,
    /// The engine.
    pub docker: DockerConfig,
    /// The default pool's image, with its tag.
    pub default_image: String,
    /// The pools, and which of them this worker serves.
    pub pools: ServedPools,
    /// The default pool, and what goes for all of them.
    pub runner: RunnerConfig,
    /// This worker's name.
    pub name: WorkerName,
    /// How many runners may be up here at once.
    pub capacity: u32,
    /// How many containers may be made and started at once.
    pub starts: usize,
    /// The rest of this worker's own.
    pub worker: WorkerConfig,
}

impl Settings {
    /// Reads and checks everything, for what makes calls to GitHub.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with all that is wrong.
    pub fn load(environment: Environment) -> Result<Self, SettingsError> {
        Self::read(environment, GithubConfig::load)
    }

    /// The same for what makes none: there need be no credential.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with all that is wrong.
    pub fn load_unauthorized(environment: Environment) -> Result<Self, SettingsError> {
        Self::read(environment, GithubConfig::load_unauthorized)
    }

    fn read(mut environment: Environment, github: fn(&mut Environment) -> GithubConfig) -> Result<Self, SettingsError> {
        let telemetry = environment.section("AUTOSCALER_");
        let traces = TracesConfig::load(&mut environment);
        let github = github(&mut environment);
        let secrets = WebhookSecrets::load_optional(&mut environment);
        let docker = environment.section("DOCKER_");
        let image: RunnerImageConfig = environment.section("DOCKER_RUNNER_");
        let (runner, pools) = pools::load(&mut environment);
        let queue_config: QueueConfig = environment.section("QUEUE_");
        let queue = Queue::new(&queue_config).map_err(|error| match error {
            QueueError::Setting { setting, problem } => environment.problem(setting, problem),
            error => environment.problem("QUEUE_URL", error),
        });
        let worker: WorkerConfig = environment.section("WORKER_");
        for name in worker.pools.iter().filter(|name| pools.now().get(name).is_none()) {
            environment.problem("WORKER_POOLS", format_args!("there is no pool called {name}"));
        }
        let name = worker.name.clone().map_or_else(host_name, Ok);
        let name = name.map_err(|problem| environment.problem("WORKER_NAME", problem));
        environment.finish()?;
        let (Ok(queue), Ok(name)) = (queue, name) else { unreachable!("their problems were reported") };
        let starts = 2 * std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            telemetry,
            traces,
            queue,
            github,
            secrets,
            docker,
            default_image: image.reference(),
            capacity: worker.capacity.unwrap_or(runner.max_runners),
            starts: worker.starts.map_or(starts, |starts| starts as usize),
            pools: ServedPools::new(pools, worker.pools.clone()),
            runner,
            name,
            worker,
        })
    }

    /// What the names of runners begin with.
    #[must_use]
    pub fn prefix(&self) -> &RunnerNamePrefix {
        &self.runner.name_prefix
    }
}

/// The name of this host, as the kernel has it.
fn host_name() -> Result<WorkerName, String> {
    let path = "/proc/sys/kernel/hostname";
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("is not set, and {path} cannot be read: {error}"))?;
    text.trim().parse().map_err(|error| format!("is not set, and the host's name cannot stand in for it: {error}"))
}
