//! Everything a job passes on its way.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bollard::{Docker, models::ContainerSummary, query_parameters::ListContainersOptionsBuilder};
use devstack::{
    deliver::{ContentType, Delivery, HOOK_ID},
    github::{Config, HookTarget, Permissions, StandIn, Webhook},
    harness::{Engine, Process, ProcessSpec, RedisServer, free_port},
    runner::RunnerImage,
};
use secrecy::SecretString;
use shared::{
    model::{JobId, JobState},
    queue::{JobRecord, Queue, QueueConfig},
};
use tempfile::TempDir;
use tokio::{sync::OnceCell, time::Instant};

pub(crate) const SECRET: &str = "a secret of at least sixteen bytes";
pub(crate) const TOKEN: &str = "ghp_standInTokenThatMustNotLeak";
const IMAGE: &str = "stand-in-runner:e2e";

/// Where the queue's file is in a home.
const USUAL: &str = ".local/state/autoscaler/queue.db";

/// How long anything may take here: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

static BUILT: OnceCell<()> = OnceCell::const_new();

pub(crate) struct World {
    /// Unless the queue is a file.
    redis: Option<RedisServer>,
    pub(crate) github: StandIn,
    pub(crate) queue: Queue,
    pub(crate) docker: Docker,
    pub(crate) worker: Option<Process>,
    pub(crate) ingest: Process,
    pub(crate) name: String,
    pub(crate) admin_port: u16,
    pub(crate) ingest_admin_port: u16,
    ingest_url: String,
    worker_spec: ProcessSpec,
    http: reqwest::Client,
    files: TempDir,
}

/// How a world differs from the usual one.
pub(crate) struct Options {
    pub(crate) max_runners: u32,
    pub(crate) registration: &'static str,
    pub(crate) labels: &'static str,
    pub(crate) image: &'static str,
    /// Whether the processes are told of a queue.
    pub(crate) queue: bool,
    /// The address of an engine of the test's own, and a client of it.
    pub(crate) engine: Option<(String, Docker)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_runners: 5,
            registration: "jit",
            labels: "self-hosted,linux,x64,ubuntu-latest",
            image: IMAGE,
            queue: true,
            engine: None,
        }
    }
}

impl World {
    pub(crate) async fn start(options: Options) -> Self {
        let mut world = Self::without_worker(options).await;
        world.start_worker().await;
        world
    }

    pub(crate) async fn without_worker(options: Options) -> Self {
        let (engine, docker) = engine_with_image(options.engine.clone()).await;
        let github = {
            let config = Config { first_job: unique() * 1000, ..Config::default() };
            StandIn::start(config.token(TOKEN, Permissions::all())).unwrap()
        };
        let files = tempfile::tempdir().unwrap();
        let pools = pools(&options);
        std::fs::write(files.path().join("pools.toml"), pools).unwrap();
        let redis = if options.queue { Some(RedisServer::start().await.unwrap()) } else { None };
        let home = files.path().join("home");
        let queue = redis.as_ref().map_or_else(|| format!("sqlite:{}", home.join(USUAL).display()), RedisServer::url);

        let (ingest_port, ingest_admin_port) = (free_port().unwrap(), free_port().unwrap());
        let ingest_url = format!("http://127.0.0.1:{ingest_port}");
        let common = [
            if options.queue { ("QUEUE_URL", queue.clone()) } else { ("HOME", home.display().to_string()) },
            ("QUEUE_LEASE_SECONDS", "6".to_owned()),
            ("QUEUE_MAX_ATTEMPTS", "2".to_owned()),
            ("AUTOSCALER_POOLS", files.path().join("pools.toml").display().to_string()),
            ("AUTOSCALER_DEBUG", "true".to_owned()),
        ];
        let ingest = ProcessSpec::new(program("ingest"))
            .envs(common.clone())
            .env("AUTOSCALER_SECRET_TOKEN", SECRET)
            .env("INGEST_BIND", format!("127.0.0.1:{ingest_port}"))
            .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{ingest_admin_port}"));
        let name = format!("e2e-{}", free_port().unwrap());
        let admin_port = free_port().unwrap();
        let worker_spec = ProcessSpec::new(env!("CARGO_BIN_EXE_worker"))
            .envs(common)
            .env("WORKER_NAME", &name)
            .env("WORKER_ADMIN_BIND", format!("127.0.0.1:{admin_port}"))
            .env("DOCKER_HOST", engine)
            .env("AUTOSCALER_GITHUB_URL", github.url())
            .env("AUTOSCALER_GITHUB_PAT", TOKEN);
        github.set_webhook(Webhook::json(format!("{ingest_url}/webhook"), SECRET));
        let config = QueueConfig { url: SecretString::from(queue), ..QueueConfig::default() };
        let world = Self {
            queue: Queue::new(&config).unwrap(),
            redis,
            github,
            docker,
            worker: None,
            ingest: Process::start(&ingest).unwrap(),
            name,
            admin_port,
            ingest_admin_port,
            ingest_url,
            worker_spec,
            http: reqwest::Client::new(),
            files,
        };
        world
            .until("ingest is up", async || world.get(&format!("{}/heartbeat", world.ingest_url)).await == Some(200))
            .await;
        world
    }

    pub(crate) async fn start_worker(&mut self) {
        self.worker = Some(Process::start(&self.worker_spec).unwrap());
        self.until("the worker is up", async || self.ready().await == Some(200)).await;
    }

    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().unwrap()
    }

    pub(crate) fn worker(&mut self) -> &mut Process {
        self.worker.as_mut().unwrap()
    }

    /// Runs a command of `worker`, and returns its exit code and what it printed.
    pub(crate) async fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let spec = arguments.iter().fold(self.worker_spec.clone(), |spec, argument| spec.arg(*argument));
        let mut process = Process::start(&spec).unwrap();
        let status = process.wait(PATIENCE).await.unwrap();
        (status.code(), process.lines().join("\n"))
    }

    /// Where the queue's file is if the processes are told of no queue.
    pub(crate) fn usual_file(&self) -> PathBuf {
        self.files.path().join("home").join(USUAL)
    }

    /// What `/readyz` of the worker says.
    pub(crate) async fn ready(&self) -> Option<u16> {
        self.get(&format!("http://127.0.0.1:{}/readyz", self.admin_port)).await
    }

    /// What `/livez` of the worker says.
    pub(crate) async fn live(&self) -> Option<u16> {
        self.get(&format!("http://127.0.0.1:{}/livez", self.admin_port)).await
    }

    pub(crate) async fn get(&self, url: &str) -> Option<u16> {
        self.http.get(url).send().await.ok().map(|answer| answer.status().as_u16())
    }

    /// Sends a payload as GitHub does, and returns the status of the answer.
    pub(crate) async fn deliver(&self, payload: &[u8], target: HookTarget) -> u16 {
        let delivery = Delivery {
            url: format!("{}/webhook", self.ingest_url),
            event: "workflow_job".to_owned(),
            guid: format!("{:032x}", unique()),
            hook: HOOK_ID,
            target,
            content_type: ContentType::Json,
            payload: payload.to_vec(),
        };
        delivery.send(&self.http, &SecretString::from(SECRET)).await.unwrap().status
    }

    /// The record of a job, once it is in this state.
    pub(crate) async fn record_when(&self, id: u64, state: JobState) -> JobRecord {
        self.until(&format!("job {id} is {state}"), async || {
            self.record(id).await.is_some_and(|record| record.state == state)
        })
        .await;
        self.record(id).await.unwrap()
    }

    pub(crate) async fn record(&self, id: u64) -> Option<JobRecord> {
        let id: JobId = id.to_string().parse().unwrap();
        self.queue.job(id).await.unwrap()
    }

    /// The containers that this world's worker has made, whatever they do.
    pub(crate) async fn containers(&self) -> Vec<ContainerSummary> {
        let label = vec![format!("autoscaler.worker={}", self.name)];
        let filters = std::collections::HashMap::from([("label".to_owned(), label)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await.unwrap()
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, mut so: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so().await {
            assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}\n{}", self.story());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the processes have said, for a failure's message.
    fn story(&self) -> String {
        let worker = self.worker.as_ref().map(Process::lines).unwrap_or_default();
        let tail = |lines: Vec<String>| lines[lines.len().saturating_sub(60)..].join("\n");
        format!("-- ingest\n{}\n-- worker\n{}\n", tail(self.ingest.lines()), tail(worker))
    }

    /// Stops the worker and sees that nothing is left of its runners.
    pub(crate) async fn end(mut self) {
        self.until("no container is left", async || self.containers().await.is_empty()).await;
        let status = self.worker().stop(PATIENCE).await.unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.story());
    }
}

/// The engine that a world runs on, by its address and a client of it, with the runner's image: `own`, or the one that
/// all tests share.
async fn engine_with_image(own: Option<(String, Docker)>) -> (String, Docker) {
    let build = async |docker: &Docker| RunnerImage::compile().await.unwrap().build(docker, IMAGE).await.unwrap();
    if let Some((host, docker)) = own {
        build(&docker).await;
        return (host, docker);
    }
    let engine = Engine::from_env().await.expect("these tests need a Docker engine: run ./devstack/test");
    let docker = engine.client().await.unwrap();
    BUILT.get_or_init(async || build(&docker).await).await;
    (engine.host().to_owned(), docker)
}

fn pools(options: &Options) -> String {
    let labels: Vec<String> = options.labels.split(',').map(|label| format!("{label:?}")).collect();
    format!(
        "[[pool]]\nname = \"default\"\nlabels = [{}]\nimage = {:?}\nmax_runners = {}\nregistration = {:?}\n\
         [pool.docker]\nnetwork = \"host\"\npull = \"never\"\n",
        labels.join(", "),
        options.image,
        options.max_runners,
        options.registration,
    )
}

/// A program of the workspace: cargo puts it beside this test's own folder.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(|deps| deps.parent()).unwrap().join(name)
}

/// A number that no other world has: they share an engine, on which containers are found by their job's id.
fn unique() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}
