//! `worker start`

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;
use shared::{
    github::Github,
    model::{Pool, PoolName, RunnerName, Scope},
    shutdown, telemetry,
};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::target::Target;
use crate::{
    config::Settings,
    fulfil::{Registered, deregister, register},
    provider::{Provider as _, RunnerHandle, docker::DockerProvider},
    runner::{Observed, Retirement, RunnerSpec},
};

/// How long a runner may take to end when this command is interrupted.
const STOP_GRACE: Duration = Duration::from_secs(90);

/// Starts one runner by hand. It belongs to no queued job and takes no slot of its pool's limit: it is for finding out whether
/// credentials, image and labels are right.
#[derive(Args, Debug)]
pub(super) struct Start {
    #[command(flatten)]
    target: Target,
    /// The pool whose image, labels and options it has; the first one by default
    #[arg(long)]
    pool: Option<PoolName>,
}

impl Start {
    pub(super) async fn run(&self, settings: Settings, json: bool) -> anyhow::Result<()> {
        telemetry::init(settings.telemetry);
        let scope = self.target.scope()?;
        let pools = settings.pools.all();
        let pool = match &self.pool {
            Some(name) => pools.get(name).with_context(|| format!("there is no pool called {name}"))?,
            None => pools.iter().next().context("there is no pool")?,
        };
        let github = Github::new(&settings.github)?;
        let docker = DockerProvider::new(settings.docker.clone(), &settings.default_image);
        docker.prepare(&pool.image, pool.docker.pull).await?;

        let name = RunnerName::by_hand(settings.prefix(), OffsetDateTime::now_utc().unix_timestamp().unsigned_abs());
        let registered = register(&github, &scope, pool, &name).await?;
        let id = registered.id;
        let spec = spec(&settings, pool, &name, &scope, registered);
        let ran = run(&docker, &spec, json).await;
        // An ephemeral runner that took a job has deregistered itself; for any other this is the time.
        let gone = deregister(&github, &scope, id, &name).await.context("its registration is left at GitHub");
        ran.and(gone.map(drop))
    }
}

fn spec(settings: &Settings, pool: &Pool, name: &RunnerName, scope: &Scope, registered: Registered) -> RunnerSpec {
    RunnerSpec {
        name: name.clone(),
        job: None,
        pool: pool.name.clone(),
        worker: settings.name.clone(),
        scope: scope.clone(),
        runner_id: registered.id,
        image: pool.image.clone(),
        env: pool.env.clone(),
        docker: pool.docker.clone(),
        keep_failed: None, // whoever starts one by hand sees what it prints
        credentials: registered.credentials,
        labels: pool.labels.clone(),
        runner_group: pool.runner_group.clone(),
    }
}

/// Starts the container, prints what it prints, and removes it when it has ended.
async fn run(docker: &DockerProvider, spec: &RunnerSpec, json: bool) -> anyhow::Result<()> {
    let handle = docker.create(spec).await?;
    let ran = stay(docker, &handle, json).await;
    docker.remove(&handle).await?;
    ran
}

async fn stay(docker: &DockerProvider, handle: &RunnerHandle, json: bool) -> anyhow::Result<()> {
    docker.start(handle).await?;
    eprintln!("{} is up; Ctrl-C ends it", handle.name);
    let shutdown = CancellationToken::new();
    let interrupted = shutdown::on_signal(shutdown.clone());
    tokio::pin!(interrupted);
    let mut observed = Observed::default();
    let mut lines = docker.follow(handle);
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Some(line) => {
                    let line = line?;
                    observed.observe(&line);
                    if !json { println!("{line}"); }
                }
                None => break,
            },
            signal = &mut interrupted => {
                signal?;
                docker.stop(handle, STOP_GRACE).await?;
                break;
            }
        }
    }
    let exit = docker.wait(handle).await?;
    let outcome = observed.outcome(&exit, shutdown.is_cancelled().then_some(Retirement::NoDemand));
    if json {
        println!("{}", json!({ "runner": handle.name, "outcome": outcome.to_string(), "exit_code": exit.code }));
    } else {
        eprintln!("{outcome}");
    }
    Ok(())
}
