//! Everything between GitHub and a runner: real processes, and stand-ins for GitHub and Docker.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use devstack::{
    docker::{self, StandIn as Docker},
    github::{APP_KEY, App, Config, FineGrained, JobStatus, Permissions, StandIn as Github, Timings, Webhook},
    harness::{Process, ProcessSpec, Proxy, free_port},
};
use secrecy::SecretString;
use shared::queue::{JobRecord, Queue, QueueConfig};
use tempfile::TempDir;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};

use crate::{
    program::{Program, program},
    spec::{IMAGE, LEASE, Options, PoolOptions},
    store::Store,
};

pub(crate) const SECRET: &str = "a secret of at least sixteen bytes";
pub(crate) const TOKEN: &str = "ghp_standIn";

/// How long anything may take here: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How soon it is looked again.
const LOOK: Duration = Duration::from_millis(20);

/// How many runs are under way at once: they mostly wait.
const RUNS_MAX: u32 = 2;

static RUNS: Semaphore = Semaphore::const_new(RUNS_MAX as usize);

/// Waits for a turn.
pub(crate) async fn turn() -> SemaphorePermit<'static> {
    RUNS.acquire().await.unwrap()
}

/// Waits until no other run is under way: for one that needs the whole machine.
pub(crate) async fn alone() -> SemaphorePermit<'static> {
    RUNS.acquire_many(RUNS_MAX).await.unwrap()
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) github: Github,
    /// The engine of the first host.
    pub(crate) docker: Docker,
    /// Those of the others.
    pub(crate) elsewhere: Vec<Docker>,
    pub(crate) queue: Queue,
    pub(crate) ingests: Vec<Program>,
    pub(crate) workers: Vec<Program>,
    pub(crate) options: Options,
    /// The turn of the next ingest.
    turn: usize,
    pub(crate) http: reqwest::Client,
    files: TempDir,
}

impl World {
    /// A world in which everything is up.
    pub(crate) async fn start(options: Options) -> Self {
        let mut world = Self::still(options).await;
        for worker in 0..world.workers.len() {
            world.workers[worker].start();
            world.worker_is_up(worker).await;
        }
        world
    }

    /// A world without a running worker.
    pub(crate) async fn still(options: Options) -> Self {
        let store = Store::start(&options).await;
        let github = {
            let timings = Timings {
                // A runner that was killed is noticed sooner than at GitHub.
                pick_up: Duration::from_secs(3),
                poll: Duration::from_secs(1),
                silence: Duration::from_secs(5),
                ..Timings::default()
            };
            let timings = match &options.app {
                Some(app) => Timings { installation_token: app.token, ..timings },
                None => timings,
            };
            let (rate_limit, rate_period) = options.rate.unwrap_or((u32::MAX, Duration::from_hours(1)));
            let config = Config { timings, rate_limit, rate_period, choice: options.choice, ..Config::default() };
            Github::start(config.token(TOKEN, Permissions::all()).app(app())).unwrap()
        };
        let mut engines = (0..options.hosts).map(|_| engine(&options.pools));
        let (docker, elsewhere) = (engines.next().unwrap(), engines.collect());
        let files = tempfile::tempdir().unwrap();
        let config = QueueConfig { url: SecretString::from(store.url()), ..QueueConfig::default() };
        let mut world = Self {
            queue: Queue::new(&config).unwrap(),
            store,
            github,
            docker,
            elsewhere,
            ingests: Vec::new(),
            workers: Vec::new(),
            options,
            turn: 0,
            http: reqwest::Client::new(),
            files,
        };
        world.write_pools(&world.options.pools_toml());
        let pools = world.pools_toml().display().to_string();
        for number in 0..world.options.ingests {
            world.add_ingest(number, &pools).await;
        }
        for number in 0..world.options.workers {
            world.add_worker(number, &pools).await;
        }
        world.next_ingest();
        world
    }

    fn pools_toml(&self) -> PathBuf {
        self.files.path().join("pools.toml")
    }

    pub(crate) fn write_pools(&self, text: &str) {
        std::fs::write(self.pools_toml(), text).unwrap();
    }

    fn common(&self, program: ProcessSpec, pools: &str) -> ProcessSpec {
        program
            .env("QUEUE_LEASE_SECONDS", LEASE.to_string())
            .env("AUTOSCALER_POOLS", pools)
            .env("QUEUE_URL", self.store.url())
            .envs(self.store.variables())
            // Only where it is what is tested: it would put right what others are to.
            .env("WORKER_RECONCILE_SECONDS", "0")
            .envs(self.options.env.clone())
    }

    /// A program's way to Redis, if it has one of its own.
    async fn way(&self, spec: ProcessSpec) -> (ProcessSpec, Option<Proxy>) {
        let Store::Redis(redis) = &self.store else { return (spec, None) };
        if !self.options.proxied {
            return (spec, None);
        }
        let proxy = Proxy::start(redis.port()).await.unwrap();
        (spec.env("QUEUE_URL", format!("redis://127.0.0.1:{}", proxy.port())), Some(proxy))
    }

    /// The engines of all hosts.
    pub(crate) fn engines(&self) -> impl Iterator<Item = &Docker> {
        std::iter::once(&self.docker).chain(&self.elsewhere)
    }

    /// The ways to Redis: those of the ingests, and then those of the workers.
    pub(crate) fn proxies(&mut self) -> impl Iterator<Item = &mut Proxy> {
        self.ingests.iter_mut().chain(&mut self.workers).filter_map(|program| program.proxy.as_mut())
    }

    async fn add_ingest(&mut self, number: usize, pools: &str) {
        let (port, private) = (free_port().unwrap(), free_port().unwrap());
        let spec = self
            .common(ProcessSpec::new(program("ingest")), pools)
            .env("AUTOSCALER_SECRET_TOKEN", SECRET)
            .env("INGEST_BIND", format!("127.0.0.1:{port}"))
            .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{private}"));
        let (spec, proxy) = self.way(spec).await;
        let name = format!("ingest-{number}");
        let mut ingest = Program { name, spec, process: None, past: Vec::new(), proxy, port, private };
        ingest.start();
        self.ingests.push(ingest);
        self.ingest_is_up(number).await;
    }

    async fn add_worker(&mut self, number: usize, pools: &str) {
        let (name, port) = (format!("worker-{number}"), free_port().unwrap());
        let spec = self
            .common(ProcessSpec::new(env!("CARGO_BIN_EXE_worker")), pools)
            .env("WORKER_NAME", &name)
            .env("WORKER_CAPACITY", self.options.capacity.to_string())
            .env("WORKER_ADMIN_BIND", format!("127.0.0.1:{port}"))
            .env("DOCKER_HOST", self.engines().nth(number % self.options.hosts).unwrap().host())
            .env("AUTOSCALER_GITHUB_URL", self.github.url());
        let spec = match &self.options.app {
            Some(app) => spec.env("AUTOSCALER_GITHUB_APP_ID", app.id).env("AUTOSCALER_GITHUB_APP_PRIVATE_KEY", APP_KEY),
            None => spec.env("AUTOSCALER_GITHUB_PAT", TOKEN),
        };
        let (spec, proxy) = self.way(spec).await;
        self.workers.push(Program { name, spec, process: None, past: Vec::new(), proxy, port, private: port });
    }

    pub(crate) async fn ingest_is_up(&self, number: usize) {
        let url = format!("{}/heartbeat", self.ingest_url(number));
        self.until("ingest is up", async || self.get(&url).await == Some(200)).await;
    }

    pub(crate) async fn worker_is_up(&self, number: usize) {
        let url = format!("http://127.0.0.1:{}/readyz", self.workers[number].port);
        self.until("the worker is up", async || self.get(&url).await == Some(200)).await;
    }

    pub(crate) fn ingest_url(&self, number: usize) -> String {
        format!("http://127.0.0.1:{}", self.ingests[number].port)
    }

    /// Lets the next ingest have the webhooks from now on.
    pub(crate) fn next_ingest(&mut self) {
        self.turn = (self.turn + 1) % self.ingests.len();
        let webhook = Webhook::json(format!("{}/webhook", self.ingest_url(self.turn)), SECRET);
        self.github.set_webhook(Webhook { target: self.options.hook, ..webhook });
    }

    async fn get(&self, url: &str) -> Option<u16> {
        self.http.get(url).timeout(Duration::from_secs(3)).send().await.ok().map(|answer| answer.status().as_u16())
    }

    /// What a process answers that is asked for its metrics.
    pub(crate) async fn metrics(&self, program: &Program) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", program.private);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Runs a command of `worker`, and returns what it printed.
    pub(crate) async fn command(&self, arguments: &[&str]) -> String {
        let spec = arguments.iter().fold(self.workers[0].spec.clone(), |spec, argument| spec.arg(*argument));
        let mut process = Process::start(&spec).unwrap();
        let status = process.wait(PATIENCE).await.unwrap();
        let said = process.lines().join("\n");
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }

    pub(crate) async fn record(&self, id: u64) -> Option<JobRecord> {
        self.queue.job(id.to_string().parse().unwrap()).await.ok().flatten()
    }

    /// The states of jobs in the queue.
    pub(crate) fn states(&self, jobs: &BTreeSet<u64>) -> BTreeMap<u64, String> {
        let mut probe = self.store.probe().unwrap();
        let mut states = BTreeMap::new();
        let jobs: Vec<u64> = jobs.iter().copied().collect();
        for pool in &self.options.pools {
            for some in jobs.chunks(100) {
                let answers = probe.states(pool.name, some).unwrap();
                states.extend(some.iter().zip(answers).filter_map(|(job, state)| Some((*job, state?))));
            }
        }
        states
    }

    /// How many workers have told the queue that they are there.
    pub(crate) async fn workers_there(&self) -> Option<usize> {
        Some(self.queue.status().await.ok()?.workers.len())
    }

    /// How many jobs of all pools wait, are delayed or leased; nothing while the store is away.
    pub(crate) fn open(&self) -> Option<u64> {
        // At one moment, for a job goes from one of them to the other.
        let sets = ["queued", "delayed", "lease"];
        self.options.pools.iter().map(|pool| self.store.count_together(pool.name, &sets)).sum()
    }

    /// Waits until nothing is left to be done: no job waits or is leased, no runner is there, and what GitHub still has in
    /// its queue are dead letters. Delivers again what failed meanwhile.
    pub(crate) async fn rest(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let failed = self.github.redeliver_failed();
            self.next_ingest();
            let left: Vec<_> = self.engines().flat_map(Docker::containers).collect();
            if failed == 0 && left.is_empty() && self.open() == Some(0) && self.jobs_are_settled() {
                return;
            }
            if Instant::now() > deadline {
                let open = self.github.jobs().into_iter().filter(|job| job.status != JobStatus::Completed);
                let open: Vec<String> = open.take(10).map(|job| format!("{job:?}")).collect();
                let containers: Vec<String> = left.iter().map(|it| format!("{it:?}")).collect();
                panic!(
                    "no rest within {within:?}: {:?} open\n{}\n{}\n{}\n{}",
                    self.open(),
                    self.open_records().await,
                    containers.join("\n"),
                    open.join("\n"),
                    self.story()
                );
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The records of what is not at rest, with what its workers said of it.
    pub(crate) async fn open_records(&self) -> String {
        let mut ids: Vec<u64> = Vec::new();
        for pool in &self.options.pools {
            for set in ["queued", "delayed", "lease", "dead"] {
                let probe = self.store.probe();
                let members = probe.and_then(|mut probe| probe.members(&format!("gha:{{{}}}:{set}", pool.name)));
                ids.extend(
                    members.unwrap_or_default().iter().filter_map(|entry| entry.split('~').next()?.parse::<u64>().ok()),
                );
            }
        }
        let waiting = self.github.jobs().into_iter().filter(|job| job.status != JobStatus::Completed);
        ids.extend(waiting.map(|job| job.id));
        let mut open = Vec::new();
        for id in ids {
            open.extend(self.record(id).await);
        }
        let told = open.into_iter().take(8).map(|record| {
            let id = record.id.to_string();
            let lines = self.workers.iter().flat_map(|worker| {
                let said = worker.past.iter().cloned().chain(worker.lines());
                said.filter(|line| line.contains(&id))
                    .map(|line| format!("{}: {line}", worker.name))
                    .collect::<Vec<_>>()
            });
            format!("{record:#?}\n{}", lines.collect::<Vec<_>>().join("\n"))
        });
        told.collect::<Vec<_>>().join("\n")
    }

    fn jobs_are_settled(&self) -> bool {
        let dead: Option<u64> = self.options.pools.iter().map(|pool| self.store.count(pool.name, "dead")).sum();
        let open = self.github.jobs().iter().filter(|job| job.status != JobStatus::Completed).count();
        dead.is_some_and(|dead| open <= usize::try_from(dead).unwrap())
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, so: impl AsyncFnMut() -> bool) {
        self.until_within(what, PATIENCE, so).await;
    }

    pub(crate) async fn until_within(&self, what: &str, within: Duration, mut so: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + within;
        while !so().await {
            assert!(Instant::now() < deadline, "not in {within:?}: {what}\n{}", self.story());
            sleep(LOOK).await;
        }
    }

    /// What the processes have said, for a failure's message.
    pub(crate) fn story(&self) -> String {
        let tail = |lines: Vec<String>| lines[lines.len().saturating_sub(40)..].join("\n");
        let said = self.ingests.iter().chain(&self.workers).map(|it| format!("-- {}\n{}", it.name, tail(it.lines())));
        said.collect::<Vec<_>>().join("\n")
    }
}

fn app() -> App {
    let permissions = |account| Permissions::app(account, [FineGrained::ActionsRead, FineGrained::Administration]);
    App::new(4711).installed(1, "octocat", permissions("octocat")).installed(2, "monalisa", permissions("monalisa"))
}

/// An engine that knows the limits of pools.
fn engine(pools: &[PoolOptions]) -> Docker {
    let docker = Docker::start(docker::Config::runners(IMAGE)).unwrap();
    for PoolOptions { name, most, per_scope } in pools {
        docker.limit(name, *most, *per_scope);
    }
    docker
}
