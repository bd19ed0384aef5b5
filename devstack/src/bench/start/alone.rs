//! Both processes, with stand-ins for GitHub and for Docker's API: for what a real engine on one machine could not hold, or does not
//! matter for.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    bench::store::Store,
    docker::{self, StandIn as Docker},
    github::{Config, Permissions, StandIn as Github, Webhook},
    harness::{Process, ProcessSpec, free_port, program_beside},
    up::stack::{SECRET, TOKEN},
};

const IMAGE: &str = "stand-in-runner:bench";

/// How often it is looked whether a process is ready.
const LOOK: Duration = Duration::from_millis(2);

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What both processes need, and how they are started. A store that is a file is what they have by default.
pub(super) struct Alone {
    pub(super) github: Github,
    pub(super) docker: Docker,
    pub(super) ingest: Program,
    pub(super) worker: Program,
    _files: TempDir,
    _store: Store,
}

/// A process that can be started.
pub(super) struct Program {
    spec: ProcessSpec,
    /// Of its private listener.
    port: u16,
}

impl Alone {
    /// For a worker with so many runners at once.
    pub(super) fn new(runners: u32) -> anyhow::Result<Self> {
        let (store, files) = (Store::file()?, tempfile::tempdir()?);
        let github = Github::start(Config::default().token(TOKEN, Permissions::all()))?;
        let docker = Docker::start(docker::Config::runners(IMAGE))?;
        let pools = files.path().join("pools.toml");
        let pool = format!("image = {IMAGE:?}\nmax_runners = {runners}\n[pool.docker]\npull = \"never\"\n");
        std::fs::write(&pools, format!("[[pool]]\nname = \"default\"\nlabels = [\"self-hosted\", \"linux\"]\n{pool}"))?;
        let (port, ingest, worker) = (free_port()?, free_port()?, free_port()?);
        github.set_webhook(Webhook::json(format!("http://127.0.0.1:{port}/webhook"), SECRET));
        let program = |name| anyhow::Ok(common(ProcessSpec::new(program_beside(name)?), &store.url, &pools));
        let ingest_spec = program("ingest")?
            .env("AUTOSCALER_SECRET_TOKEN", SECRET)
            .env("INGEST_BIND", format!("127.0.0.1:{port}"))
            .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{ingest}"));
        let worker_spec = program("worker")?
            .env("WORKER_NAME", "bench")
            .env("WORKER_CAPACITY", runners.to_string())
            .env("WORKER_ADMIN_BIND", format!("127.0.0.1:{worker}"))
            .env("DOCKER_HOST", docker.host())
            .env("AUTOSCALER_GITHUB_URL", github.url())
            .env("AUTOSCALER_GITHUB_PAT", TOKEN);
        let ingest = Program { spec: ingest_spec, port: ingest };
        let worker = Program { spec: worker_spec, port: worker };
        Ok(Self { github, docker, ingest, worker, _files: files, _store: store })
    }
}

fn common(spec: ProcessSpec, queue: &str, pools: &Path) -> ProcessSpec {
    spec.env("QUEUE_URL", queue).env("AUTOSCALER_POOLS", pools.display().to_string())
}

impl Program {
    /// Starts it. Returns it once it is ready, and after how long that was.
    pub(super) async fn start(&self) -> anyhow::Result<(Process, Duration)> {
        let begun = Instant::now();
        let process = Process::start(&self.spec)?;
        while !self.is_ready().await {
            let said = || process.lines().join("\n");
            anyhow::ensure!(begun.elapsed() < PATIENCE, "it is not ready after {PATIENCE:?}; it said:\n{}", said());
            sleep(LOOK).await;
        }
        Ok((process, begun.elapsed()))
    }

    /// Whether `/readyz` answers 200.
    async fn is_ready(&self) -> bool {
        let ask = async {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        ask.await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}
