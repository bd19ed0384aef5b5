//! Everything that `devstack up` starts, and takes away again.

use std::collections::HashMap;

use anyhow::{Context as _, anyhow, bail};
use secrecy::SecretString;
use shared::{
    github::GithubConfig,
    queue::{Queue, QueueConfig},
};
use tempfile::TempDir;

use super::{
    containers::Containers,
    plan::{EngineChoice, Mode, Plan, RUNNERS, Real},
    processes::{Processes, Start},
    say::say,
    stop::Stop,
    text::{self, Address},
};
use crate::{
    github::{Config, Permissions, StandIn, Webhook},
    harness::{Engine, EngineOptions, HarnessError, free_port},
    runner::RunnerImage,
};

/// The stand-in's token, and the secret of its webhook: they open nothing.
pub(crate) const TOKEN: &str = "ghp_standInForGitHub";
pub(crate) const SECRET: &str = "the stand-in's webhook secret";

/// The one pool of the stand-in. Its runners share the host's network, for the stand-in listens on the loopback interface
/// only.
const POOLS: &str = include_str!("../../pools.toml");

/// The image that is named there.
const IMAGE: &str = "devstack-runner:latest";

/// The jobs of a stand-in have numbers from here on: not always the same, for two stacks may share an engine, on which
/// containers are found by their job's.
const JOBS: std::ops::Range<u64> = 41_000_000_000..42_000_000_000;

/// The stack, as far as it has come. In the order in which it is to be dropped.
pub(crate) struct Stack {
    processes: Processes,
    shown: Option<Shown>,
    containers: Containers,
    image: Option<String>,
    engine: Engine,
    start: Start,
    /// GitHub, where it is the real one.
    github: Option<GithubConfig>,
    addresses: Vec<Address>,
    files: TempDir,
}

/// What a job can be shown with.
pub(crate) struct Shown {
    pub(crate) stand_in: StandIn,
    pub(crate) queue: Queue,
    /// Where deliveries go.
    pub(crate) webhook: String,
}

impl Stack {
    /// Starts what the rest stands on. When this fails, nothing is left; when not, [`end`](Self::end) is to be called.
    pub(crate) async fn found(plan: &Plan, stop: &Stop) -> anyhow::Result<Self> {
        let engine = stop.race(engine(plan)).await??;
        let docker = stop.race(engine.client()).await??;
        let containers = Containers { docker, worker: format!("up-{}", std::process::id()) };
        let files = tempfile::Builder::new().prefix("devstack-up-").tempdir()?;
        let queue = match &plan.mode {
            Mode::Github(real) if real.queue => None,
            _ => Some(format!("sqlite:{}", files.path().join("queue.db").display())),
        };
        let mut settings = HashMap::from([
            // Never the name of another worker on this engine: what carries it is removed in the end.
            ("WORKER_NAME".to_owned(), containers.worker.clone()),
            ("DOCKER_HOST".to_owned(), engine.host().to_owned()),
        ]);
        let addresses = vec![text::queue(queue.as_deref()), text::engine(&engine)];
        settings.extend(queue.map(|url| ("QUEUE_URL".to_owned(), url)));
        let start = Start { settings, folder: files.path().to_owned(), echo: false };
        Ok(Self {
            processes: Processes::default(),
            shown: None,
            containers,
            image: None,
            engine,
            start,
            github: None,
            addresses,
            files,
        })
    }

    /// Has both processes run with this setting, where the stack has none of its own.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.start.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Starts the rest, and waits until it is up.
    pub(crate) async fn start(&mut self, plan: &Plan, stop: &Stop) -> anyhow::Result<()> {
        match &plan.mode {
            Mode::Github(real) => self.prepare_github(real),
            Mode::StandIn => self.prepare_stand_in(plan.runners, stop).await?,
        }
        stop.check()?;
        self.processes.start(&self.start)?;
        stop.race(self.processes.up()).await?
    }

    fn prepare_github(&mut self, real: &Real) {
        let ours = std::mem::take(&mut self.start.settings);
        let settings = real.environment.clone().into_iter().chain(ours).collect();
        self.start = Start { settings, folder: real.folder.clone(), echo: true };
        self.github = Some(real.worker.github.clone());
        let metrics = [real.ingest.ingest.admin_bind, real.worker.worker.admin_bind];
        let site = real.worker.github.github_url.to_string();
        self.addresses.push(("GitHub", site));
        self.addresses.extend(text::listeners(&real.ingest.ingest.bind.to_string(), &metrics.map(|at| at.to_string())));
    }

    async fn prepare_stand_in(&mut self, runners: u32, stop: &Stop) -> anyhow::Result<()> {
        say("Building the image of a stand-in for GitHub's runner; the first time this takes a minute …");
        let image = stop.race(RunnerImage::compile()).await??;
        // Of a name of its own, and removed in the end: another stack may use the same engine, and what somebody has
        // built there by hand stays. It takes a second, and is not broken off, lest the engine keep half of it.
        let tag = format!("devstack-runner:{}", self.containers.worker);
        self.image = Some(tag.clone());
        image.build(&self.containers.docker, &tag).await?;

        let config = Config { first_job: fastrand::u64(JOBS), ..Config::default() };
        let stand_in = StandIn::start(config.token(TOKEN, Permissions::all()))?;
        let local = || free_port().map(|port| format!("127.0.0.1:{port}"));
        let (bind, metrics) = (local()?, [local()?, local()?]);
        let webhook = format!("http://{bind}/webhook");
        stand_in.set_webhook(Webhook::json(&webhook, SECRET));
        let pools = self.files.path().join("pools.toml");
        let most = |runners: u32| format!("max_runners = {runners}\n");
        std::fs::write(&pools, POOLS.replace(IMAGE, &tag).replace(&most(RUNNERS), &most(runners)))?;
        self.addresses.push(("GitHub", format!("{}, a stand-in on this machine", stand_in.url())));
        self.addresses.extend(text::listeners(&bind, &metrics));
        let [ingest, worker] = metrics;
        let settings = [
            ("AUTOSCALER_SECRET_TOKEN", SECRET.to_owned()),
            ("AUTOSCALER_GITHUB_PAT", TOKEN.to_owned()),
            ("AUTOSCALER_GITHUB_URL", stand_in.url().to_owned()),
            ("AUTOSCALER_POOLS", pools.display().to_string()),
            ("INGEST_BIND", bind),
            ("INGEST_ADMIN_BIND", ingest),
            ("WORKER_ADMIN_BIND", worker),
            ("WORKER_CAPACITY", runners.to_string()),
        ];
        self.start.settings.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        let url = self.start.settings.get("QUEUE_URL").context("there is no queue")?;
        let queue = Queue::new(&QueueConfig { url: SecretString::from(url.as_str()), ..QueueConfig::default() })?;
        self.shown = Some(Shown { stand_in, queue, webhook });
        Ok(())
    }

    /// What a job can be shown with, if that is what this stack is for.
    pub(crate) fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// The containers of its runners.
    pub(crate) fn containers(&self) -> &Containers {
        &self.containers
    }

    /// What runs where.
    pub(super) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Where the queue is, if the settings say so.
    pub(super) fn queue_url(&self) -> Option<&str> {
        self.start.settings.get("QUEUE_URL").map(String::as_str)
    }

    /// What our processes have said.
    pub(crate) fn said(&self) -> String {
        self.processes.said()
    }

    /// Fails when a part has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.processes.check()?;
        if let Some(status) = self.engine.ended() {
            bail!("dockerd has ended ({status})");
        }
        Ok(())
    }

    /// Stops everything and removes it. Whatever fails, the rest is done.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let stopped = self.processes.stop().await;
        if self.engine.is_private() {
            return stopped; // it goes with all that it has
        }
        let removed = self.containers.remove(self.github.as_ref()).await.context("cannot remove all runners");
        let image = match &self.image {
            Some(image) => self.containers.remove_image(image).await,
            None => Ok(()),
        };
        stopped.and(removed).and(image.context("cannot remove the stand-in runner's image"))
    }
}

/// The engine of the runners, as the plan wants it. Cancel-safe.
async fn engine(plan: &Plan) -> anyhow::Result<Engine> {
    let options = EngineOptions { bridge: matches!(plan.mode, Mode::Github(_)) };
    match &plan.engine {
        EngineChoice::At(host) => {
            Engine::at(host).await.with_context(|| format!("DOCKER_HOST names an engine that does not answer: {host}"))
        }
        EngineChoice::Machines => match Engine::at(Engine::MACHINES).await {
            Ok(engine) => Ok(engine),
            Err(_) => own_engine(options).await,
        },
        EngineChoice::Own => own_engine(options).await,
    }
}

async fn own_engine(options: EngineOptions) -> anyhow::Result<Engine> {
    say("Starting a Docker engine of its own …");
    Engine::start(options).await.map_err(|error| match error {
        HarnessError::NotRoot => anyhow!(text::NO_ENGINE),
        error => error.into(),
    })
}
