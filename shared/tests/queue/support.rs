//! A store of each test's own, and jobs to put into it.
#![allow(dead_code, reason = "each of the programs that share this uses a part of it")]

use std::{fs, time::Duration};

use devstack::harness::RedisServer;
use redis::{Value, cmd};
use secrecy::SecretString;
use shared::{
    model::{JobId, JobMessage, JobState, PoolName, Pools, WorkerName},
    queue::{Lease, Queue, QueueConfig, QueueError, Reserved},
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Short enough to wait for, long enough not to end between two calls.
pub(crate) const LEASE: Duration = Duration::from_millis(600);

/// What keeps the queue.
pub(crate) enum Store {
    Redis(RedisServer),
    Sqlite(TempDir),
}

impl Store {
    /// An empty one.
    pub(crate) async fn start(kind: Kind) -> Self {
        match kind {
            Kind::Redis => Self::Redis(RedisServer::start().await.unwrap()),
            Kind::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
        }
    }

    /// Its address, for `QUEUE_URL`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(redis) => redis.url(),
            Self::Sqlite(folder) => format!("sqlite:{}/queue.db", folder.path().display()),
        }
    }

    /// Lets it lose everything.
    pub(crate) fn lose(&self) {
        match self {
            Self::Redis(redis) => redis.flush().unwrap(),
            Self::Sqlite(folder) => {
                for file in fs::read_dir(folder.path()).unwrap() {
                    fs::remove_file(file.unwrap().path()).unwrap();
                }
            }
        }
    }

    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        let Self::Redis(redis) = self else { panic!("it is no Redis") };
        redis
    }
}

/// Which of the stores.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Redis,
    Sqlite,
}

impl Kind {
    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Redis => Self::Sqlite,
            Self::Sqlite => Self::Redis,
        }
    }
}

/// A pool whose limit is met by no test that does not mean to.
pub(crate) const POOL: &str = "[[pool]]\nname = \"default\"\nmax_runners = 100";

pub(crate) struct TestQueue {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
}

impl TestQueue {
    /// A queue whose pools have these limits.
    pub(crate) async fn with(pools: &str) -> Self {
        Self::on(Store::start(crate::STORE).await, pools).await
    }

    /// The same, in that store.
    pub(crate) async fn on(store: Store, pools: &str) -> Self {
        let queue = connect(store.url());
        queue.set_limits(&parse(pools)).await.unwrap();
        Self { store, queue }
    }

    /// A queue in an empty store of the other kind, whose limits nobody has told.
    pub(crate) async fn elsewhere() -> Self {
        let store = Store::start(crate::STORE.other()).await;
        let queue = connect(store.url());
        Self { store, queue }
    }

    /// Does something below the queue.
    pub(crate) async fn command(&self, line: &str) -> Value {
        let mut words = line.split(' ');
        let mut command = cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        self.queue.command(&command).await.unwrap()
    }

    pub(crate) async fn new() -> Self {
        Self::with(POOL).await
    }

    pub(crate) async fn enqueue(&self, id: u64) {
        self.queue.enqueue(&message(id)).await.unwrap();
    }

    /// Reserves a job that must be there.
    pub(crate) async fn reserve(&self, who: &str) -> Lease {
        match self.try_reserve(who).await {
            Reserved::Job(lease) => *lease,
            other => panic!("no job: {other:?}"),
        }
    }

    pub(crate) async fn try_reserve(&self, who: &str) -> Reserved {
        loop {
            match self.queue.reserve(&pool(), &worker(who)).await.unwrap() {
                Reserved::Again => {}
                reserved => return reserved,
            }
        }
    }

    /// Lets the lease of an entry run out, and somebody notice.
    pub(crate) async fn run_out(&self, entry: &str) {
        self.command(&format!("ZADD gha:{{default}}:lease XX 1 {entry}")).await;
        self.queue.beat(&pool(), &[]).await.unwrap();
    }

    pub(crate) async fn state(&self, id: u64) -> Option<JobState> {
        self.queue.job(job(id)).await.unwrap().map(|record| record.state)
    }

    /// The words of a job's events.
    pub(crate) async fn story(&self, id: u64) -> Vec<String> {
        let record = self.queue.job(job(id)).await.unwrap().unwrap();
        record.events.into_iter().map(|event| event.what).collect()
    }
}

pub(crate) fn config(url: String) -> QueueConfig {
    QueueConfig { url: SecretString::from(url), lease_seconds: LEASE, max_attempts: 3, ..QueueConfig::default() }
}

pub(crate) fn connect(url: String) -> Queue {
    Queue::new(&config(url)).unwrap()
}

/// An error with its causes, as it comes into the log.
pub(crate) fn told(error: &QueueError) -> String {
    shared::telemetry::chain(error)
}

/// Repeats a call for as long as it fails, as whoever uses the queue does, and says how long that took.
pub(crate) async fn until_it_works<T>(call: impl AsyncFn() -> Result<T, QueueError>) -> (T, Duration) {
    let start = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return (answer, start.elapsed()),
            Err(error) => {
                assert!(error.is_transient(), "{}", told(&error));
                assert!(start.elapsed() < Duration::from_secs(20), "{}", told(&error));
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn parse(pools: &str) -> Pools {
    let (_, default) = shared::pools::load(&mut shared::settings::Environment::of::<String, String>([]));
    Pools::parse(pools, default.now().iter().next().unwrap()).unwrap()
}

pub(crate) fn pool() -> PoolName {
    PoolName::default_pool()
}

pub(crate) fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

pub(crate) fn job(id: u64) -> JobId {
    id.to_string().parse().unwrap()
}

pub(crate) fn message(id: u64) -> JobMessage {
    JobMessage {
        job_id: job(id),
        run_id: 1,
        run_attempt: 1,
        name: "build".to_owned(),
        workflow: Some("CI".to_owned()),
        html_url: None,
        repository: Some("octo/repo".parse().unwrap()),
        scope: "octo/repo".parse().unwrap(),
        labels: "self-hosted,linux".parse().unwrap(),
        pool: pool(),
        installation_id: None,
        delivery: format!("guid-{id}").parse().unwrap(),
        trace: None,
    }
}
