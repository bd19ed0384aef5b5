//! Has every command and every page show what there is, again and again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::{Client, StatusCode};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{
    super::store::Store,
    history::{History, fill_history},
};
use crate::{
    deliver,
    harness::{Process, ProcessSpec, free_port, program_beside},
};

/// How long the process may take to start, and one look.
const PATIENCE: Duration = Duration::from_secs(30);

/// The webhook's secret: nothing is delivered.
const SECRET: &str = "nothing-is-delivered-here";

/// What was measured of a store.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    pub(super) store: &'a Store,
    pub(super) looks: Vec<Look>,
}

/// How long a command took from its start to its end, or a page from its request to its last byte.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) what: String,
    pub(super) times: Vec<Duration>,
}

/// Fills each store, and looks at it.
pub(super) async fn measure(stores: &[Store], jobs: u64, rounds: u32) -> anyhow::Result<Vec<Measured<'_>>> {
    let mut measured = Vec::new();
    for store in stores {
        let history = fill_history(&store.queue, jobs).await?;
        let mut looks = Vec::new();
        let eyes = Eyes::open(store).await?;
        for (what, arguments) in commands(&history) {
            let times = repeat(rounds, async || eyes.command(&arguments).await).await.context(what.clone())?;
            looks.push(Look { what, times });
        }
        for (what, path) in pages(&history) {
            let times = repeat(rounds, async || eyes.page(&path).await).await.context(path.clone())?;
            looks.push(Look { what, times });
        }
        measured.push(Measured { store, looks });
    }
    Ok(measured)
}

/// The commands that only look, by what they are called in the report.
fn commands(history: &History) -> Vec<(String, Vec<String>)> {
    let [waits, dead, done] = history.shown.map(|id| id.to_string());
    let commands: [&[&str]; 9] = [
        &["status"],
        &["jobs"],
        &["jobs", "--state", "delayed"],
        &["runners"],
        &["dead", "list"],
        &["job", &done],
        &["explain", &waits],
        &["explain", &dead],
        &["explain", &done],
    ];
    let named = commands.map(|words| {
        let what =
            words.iter().map(|word| word.parse::<u64>().map_or_else(|_| (*word).to_owned(), |_| "ID".to_owned()));
        (
            format!("worker {}", what.collect::<Vec<_>>().join(" ")),
            words.iter().map(|word| (*word).to_owned()).collect(),
        )
    });
    named.into()
}

/// The pages of the private listener.
fn pages(history: &History) -> Vec<(String, String)> {
    let [waits, dead, done] = history.shown.map(|id| id.to_string());
    let paths = [
        "/".to_owned(),
        "/jobs".to_owned(),
        "/jobs?state=delayed".to_owned(),
        "/jobs?text=repository-007".to_owned(),
        "/jobs?scope=octo-organization/repository-007".to_owned(),
        "/dead?error=mistyped".to_owned(),
        "/dead".to_owned(),
        "/workers".to_owned(),
        format!("/jobs/{waits}"),
        format!("/jobs/{dead}"),
        format!("/jobs/{done}"),
        "/api/v1/status".to_owned(),
        "/api/v1/jobs".to_owned(),
        "/api/v1/dead".to_owned(),
        format!("/api/v1/jobs/{done}"),
        "/metrics".to_owned(),
    ];
    paths
        .map(|path| {
            (
                format!(
                    "GET {}",
                    [waits.as_str(), &dead, &done].iter().fold(path.clone(), |path, id| path.replace(id, "ID"))
                ),
                path,
            )
        })
        .into()
}

async fn repeat(rounds: u32, mut look: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<Vec<Duration>> {
    look().await?; // connections stand then, and programs are in memory
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        look().await?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// Those who look.
struct Eyes {
    worker: ProcessSpec,
    /// Its private listener serves the pages.
    _ingest: Process,
    http: Client,
    admin: String,
    /// Where the programs look for `.env`.
    _folder: TempDir,
}

impl Eyes {
    async fn open(store: &Store) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let admin = format!("127.0.0.1:{}", free_port()?);
        let spec = |name| {
            anyhow::Ok(ProcessSpec::new(program_beside(name)?).env("QUEUE_URL", &store.url).folder(folder.path()))
        };
        let ingest = spec("ingest")?
            .env("AUTOSCALER_SECRET_TOKEN", SECRET)
            .env("INGEST_BIND", format!("127.0.0.1:{}", free_port()?))
            .env("INGEST_ADMIN_BIND", &admin);
        let mut ingest = Process::start(&ingest)?;
        ingest.wait_for_line("Waiting for deliveries", PATIENCE).await?;
        let http = deliver::client()?;
        Ok(Self { worker: spec("worker")?, _ingest: ingest, http, admin, _folder: folder })
    }

    async fn command(&self, arguments: &[String]) -> anyhow::Result<()> {
        let spec = arguments.iter().fold(self.worker.clone(), ProcessSpec::arg);
        let mut process = Process::start(&spec)?;
        let status = process.wait(PATIENCE).await?;
        ensure!(status.success(), "{status}: {}", process.lines().join("\n"));
        Ok(())
    }

    async fn page(&self, path: &str) -> anyhow::Result<()> {
        let answer = self.http.get(format!("http://{}{path}", self.admin)).timeout(PATIENCE).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        ensure!(status == StatusCode::OK && !body.is_empty(), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(())
    }
}
