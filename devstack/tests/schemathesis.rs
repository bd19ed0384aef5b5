//! Schemathesis asks the real process for all that its OpenAPI describes, and for what it does not, and compares the answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use devstack::harness::{HarnessError, Process, ProcessSpec, free_port};
use secrecy::SecretString;
use shared::{
    model::{JobMessage, PoolName},
    queue::{Queue, QueueConfig, Reserved, Settlement},
    settings::Environment,
};
use tempfile::TempDir;

const TOKEN: &str = "the-token-of-the-private-listener";

/// How long a process may take to start, and how long Schemathesis may ask.
const START: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(3);

/// How many requests are made up for each operation, besides those at the edges of what is described.
const EXAMPLES: &str = "--max-examples=10";

/// `ingest` with some jobs, and its description.
struct World {
    ports: [u16; 2],
    folder: TempDir,
    _ingest: Process,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("queue.db").display());
        let ports = [free_port().unwrap(), free_port().unwrap()];
        let spec = ProcessSpec::new(target().join("debug/ingest"))
            .env("AUTOSCALER_SECRET_TOKEN", "a webhook secret for tests")
            .env("INGEST_BIND", format!("127.0.0.1:{}", ports[0]))
            .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{}", ports[1]))
            .env("INGEST_ADMIN_TOKEN", TOKEN)
            .env("QUEUE_URL", &url);
        let mut ingest =
            Process::start(&spec).unwrap_or_else(|error| panic!("cargo build --workspace --bins: {error}"));
        ingest.wait_for_line("Waiting for deliveries", START).await.unwrap();
        fill(&url).await;
        let described =
            devstack::deliver::client().unwrap().get(format!("http://127.0.0.1:{}/api/v1/openapi.json", ports[1]));
        let described = described.bearer_auth(TOKEN).send().await.unwrap().bytes().await.unwrap();
        std::fs::write(folder.path().join("openapi.json"), described).unwrap();
        Self { ports, folder, _ingest: ingest }
    }

    /// Has one of the listeners asked.
    async fn ask(&self, port: u16, options: &[&str]) {
        let program = target().join("schemathesis/bin/schemathesis");
        let spec = ProcessSpec::new(program)
            .env("HOME", self.folder.path())
            .folder(self.folder.path())
            .arg("run")
            .arg("openapi.json")
            .arg(format!("--url=http://127.0.0.1:{port}"))
            .arg(EXAMPLES);
        let usual = ["--mode=all", "--generation-deterministic", "--no-color", "--warnings=off"];
        let spec = usual.iter().chain(options).fold(spec, |spec, option| spec.arg(*option));
        let mut asking = match Process::start(&spec) {
            Err(HarnessError::NotBuilt { .. }) => panic!("schemathesis is missing: run ./devstack/test"),
            asking => asking.unwrap(),
        };
        let ended = asking.wait(PATIENCE).await;
        let said = asking.lines().join("\n");
        assert!(ended.unwrap_or_else(|error| panic!("{error}: {said}")).success(), "{said}");
        assert!(said.contains("No issues found"), "{said}");
    }
}

/// Where cargo and `devstack/test` put what they make.
fn target() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(3).map(Path::to_owned).unwrap()
}

/// Jobs that wait, dead letters, and jobs that have ended.
async fn fill(url: &str) {
    let queue = Queue::new(&QueueConfig { url: SecretString::from(url), ..QueueConfig::default() }).unwrap();
    let (_, pools) = shared::pools::load(&mut Environment::of::<String, String>([]));
    queue.set_limits(&pools.now()).await.unwrap();
    for id in 1..=6 {
        queue.enqueue(&message(id)).await.unwrap();
    }
    let ends = [
        Settlement::Dead { error: "the image is gone".to_owned() },
        Settlement::Retry { delay: Duration::from_hours(1), error: "the engine refused".to_owned() },
        Settlement::Done { detail: "success".to_owned() },
    ];
    for end in ends {
        let reserved = queue.reserve(&PoolName::default_pool(), &"somebody".parse().unwrap()).await.unwrap();
        let Reserved::Job(lease) = reserved else { panic!("{reserved:?}") };
        queue.settle(*lease, end).await.unwrap();
    }
}

fn message(id: u64) -> JobMessage {
    JobMessage {
        job_id: id.to_string().parse().unwrap(),
        run_id: 1,
        run_attempt: 1,
        name: "build".to_owned(),
        workflow: Some("CI".to_owned()),
        html_url: None,
        repository: Some("octo-org/octo-repo".parse().unwrap()),
        scope: "octo-org/octo-repo".parse().unwrap(),
        labels: "self-hosted,linux".parse().unwrap(),
        pool: PoolName::default_pool(),
        installation_id: None,
        delivery: format!("guid-{id}").parse().unwrap(),
        trace: None,
    }
}

#[tokio::test]
async fn the_private_listener_answers_as_it_is_described() {
    let world = World::start().await;
    let token = format!("Authorization: Bearer {TOKEN}");
    world.ask(world.ports[1], &["--exclude-tag=public", "--header", &token]).await;
}

#[tokio::test]
async fn the_public_listener_answers_as_it_is_described() {
    let world = World::start().await;
    world.ask(world.ports[0], &["--include-tag=public"]).await;
}
