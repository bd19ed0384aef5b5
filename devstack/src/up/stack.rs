//! Everything that `devstack up` starts, and takes away again.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use bollard::{
    Docker,
    models::ContainerSummary,
    query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder},
};
use secrecy::SecretString;
use shared::queue::{Queue, QueueConfig};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    github::{Config, Permissions, StandIn, Webhook},
    harness::{Engine, EngineOptions, Process, ProcessSpec, RedisServer, free_port},
    runner::RunnerImage,
};

/// The stand-in's token, and the secret of its webhook: they open nothing.
const TOKEN: &str = "ghp_standInForGitHub";
const SECRET: &str = "the stand-in's webhook secret";

/// What the stand-in runner's image is called.
const IMAGE: &str = "devstack-runner:latest";

/// The one pool of the stand-in. Its runners share the host's network, for the stand-in listens on the loopback interface only.
const POOLS: &str = include_str!("../../pools.toml");

/// How long a process may take to start, and to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a runner that is left may take to cancel its job, in seconds.
const RUNNER_GRACE: i32 = 20;

/// How often it is looked whether all processes run.
const LOOK: Duration = Duration::from_millis(200);

/// What is on the other side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// GitHub, with the credentials of the environment.
    Github,
    /// The stand-in.
    StandIn,
}

/// The running stack. In the order in which it is to be dropped.
pub(super) struct Stack {
    worker: Process,
    ingest: Process,
    stand_in: Option<StandIn>,
    queue: Queue,
    docker: Docker,
    worker_name: String,
    webhook: String,
    _redis: RedisServer,
    _engine: Engine,
    _files: TempDir,
}

impl Stack {
    pub(super) async fn start(mode: Mode) -> anyhow::Result<Self> {
        let engine = match Engine::from_env().await {
            Ok(engine) => engine,
            // The machine has none that runs.
            Err(_) => Engine::start(EngineOptions { bridge: mode == Mode::Github }).await?,
        };
        let docker = engine.client().await?;
        let redis = RedisServer::start().await?;
        let files = tempfile::Builder::new().prefix("devstack-up-").tempdir()?;
        let worker_name = format!("up-{}", std::process::id());
        let port = if mode == Mode::Github { 5000 } else { free_port()? };
        let webhook = format!("http://127.0.0.1:{port}/webhook");
        let mut settings: HashMap<String, String> = match mode {
            Mode::Github => std::env::vars().collect(),
            Mode::StandIn => HashMap::new(),
        };
        settings.insert("QUEUE_URL".to_owned(), redis.url());
        let stand_in = match mode {
            Mode::Github => None,
            Mode::StandIn => {
                RunnerImage::compile().await?.build(&docker, IMAGE).await?;
                let stand_in = StandIn::start(Config::default().token(TOKEN, Permissions::all()))?;
                stand_in.set_webhook(Webhook::json(&webhook, SECRET));
                settings.extend(stand_in_settings(&stand_in, &files, port)?);
                Some(stand_in)
            }
        };
        settings.insert("WORKER_NAME".to_owned(), worker_name.clone());
        settings.insert("DOCKER_HOST".to_owned(), engine.host().to_owned());
        let folder = match mode {
            Mode::Github => std::env::current_dir()?, // where `.env` is
            Mode::StandIn => files.path().to_owned(),
        };
        let start = |name: &str| -> anyhow::Result<Process> {
            let spec = ProcessSpec::new(program(name)?).envs(settings.clone()).folder(&folder);
            Ok(Process::start(&if mode == Mode::Github { spec.echo() } else { spec })?)
        };
        let mut ingest = start("ingest")?;
        let mut worker = start("worker")?;
        ingest.wait_for_line("Waiting for deliveries", PATIENCE).await.context("ingest does not start")?;
        worker.wait_for_line("The worker is up", PATIENCE).await.context("worker does not start")?;
        let queue = Queue::new(&QueueConfig { url: SecretString::from(redis.url()), ..QueueConfig::default() })?;
        Ok(Self {
            worker,
            ingest,
            stand_in,
            queue,
            docker,
            worker_name,
            webhook,
            _redis: redis,
            _engine: engine,
            _files: files,
        })
    }

    pub(super) fn stand_in(&self) -> Option<&StandIn> {
        self.stand_in.as_ref()
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// What runs where, for people.
    pub(super) fn addresses(&self) -> String {
        let github = self.stand_in.as_ref().map_or("GitHub", StandIn::url);
        format!("Queue, ingest and worker are up.\n  webhook  {}\n  GitHub   {github}", self.webhook)
    }

    /// What the processes have said.
    pub(super) fn said(&self) -> String {
        [self.ingest.lines(), self.worker.lines()].concat().join("\n")
    }

    /// Finds out whether the processes run.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for (name, process) in [("ingest", &mut self.ingest), ("worker", &mut self.worker)] {
            if let Some(status) = process.ended() {
                bail!("{name} has ended ({status}); it said:\n{}", process.lines().join("\n"));
            }
        }
        Ok(())
    }

    /// Lasts for as long as the processes run.
    pub(super) async fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            self.check()?;
            sleep(LOOK).await;
        }
    }

    /// The containers of this stack's runners.
    pub(super) async fn containers(&self) -> anyhow::Result<Vec<ContainerSummary>> {
        let label = vec![format!("autoscaler.worker={}", self.worker_name)];
        let filters = HashMap::from([("label".to_owned(), label)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        Ok(self.docker.list_containers(Some(options)).await?)
    }

    /// Stops the processes and removes the runners that are left: they are asked to end first, and so cancel their jobs in an
    /// orderly way.
    pub(super) async fn end(mut self) -> anyhow::Result<()> {
        let stopped = match self.worker.ended() {
            None => self.worker.stop(PATIENCE).await.map(drop),
            Some(_) => Ok(()),
        };
        for container in self.containers().await?.into_iter().filter_map(|container| container.id) {
            let stop = StopContainerOptionsBuilder::default().t(RUNNER_GRACE).build();
            self.docker.stop_container(&container, Some(stop)).await?;
            let remove = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            self.docker.remove_container(&container, Some(remove)).await?;
        }
        stopped.context("the worker did not stop")
    }
}

/// The settings of both processes for the stand-in.
fn stand_in_settings(stand_in: &StandIn, files: &TempDir, port: u16) -> anyhow::Result<Vec<(String, String)>> {
    let pools = files.path().join("pools.toml");
    std::fs::write(&pools, POOLS)?;
    let local = |port: u16| format!("127.0.0.1:{port}");
    let settings = [
        ("AUTOSCALER_SECRET_TOKEN", SECRET.to_owned()),
        ("AUTOSCALER_GITHUB_PAT", TOKEN.to_owned()),
        ("AUTOSCALER_GITHUB_URL", stand_in.url().to_owned()),
        ("AUTOSCALER_POOLS", pools.display().to_string()),
        ("INGEST_BIND", local(port)),
        ("INGEST_ADMIN_BIND", local(free_port()?)),
        ("WORKER_ADMIN_BIND", local(free_port()?)),
    ];
    Ok(settings.map(|(name, value)| (name.to_owned(), value)).into())
}

/// A program that stands beside this one.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.with_file_name(name))
}
