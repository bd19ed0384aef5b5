//! The application under test, and deliveries to it.

use devstack::harness::RedisServer;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ingest::{config::Settings, startup::Application};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::{
    model::JobId,
    queue::{JobRecord, Queue},
    settings::Environment,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{self, Response};

pub(crate) const SECRET: &str = "a webhook secret for tests";
pub(crate) const PREVIOUS: &str = "the secret that was before";

/// The largest body that the application under test takes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

const POOLS: &str = r#"
[[pool]]
name = "default"
labels = ["self-hosted", "linux", "x64"]
[[pool]]
name = "walled"
labels = ["walled"]
scopes = ["somebody-else"]
[[pool]]
name = "by-organization"
labels = ["by-organization"]
scope = "organization"
"#;

/// A running application with a Redis of its own.
pub(crate) struct App {
    pub(crate) redis: RedisServer,
    pub(crate) queue: Queue,
    pub(crate) port: u16,
    pub(crate) admin_port: u16,
    shutdown: CancellationToken,
    running: JoinSet<anyhow::Result<()>>,
    _pools: tempfile::TempDir,
}

impl App {
    pub(crate) async fn start() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pools = folder.path().join("pools.toml");
        std::fs::write(&pools, POOLS).unwrap();
        let settings = Settings::read(Environment::of([
            ("AUTOSCALER_SECRET_TOKEN", SECRET),
            ("AUTOSCALER_SECRET_TOKEN_PREVIOUS", PREVIOUS),
            ("AUTOSCALER_POOLS", pools.to_str().unwrap()),
            ("INGEST_BIND", "127.0.0.1:0"),
            ("INGEST_ADMIN_BIND", "127.0.0.1:0"),
            ("INGEST_MAX_BODY_BYTES", &BODY_BYTES_MAX.to_string()),
            ("QUEUE_URL", &redis.url()),
        ]));
        let settings = settings.unwrap();
        let queue = Queue::new(&settings.queue).unwrap();
        let application = Application::build(settings).unwrap();
        let (port, admin_port) = (application.port(), application.admin_port());
        let shutdown = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(application.run_until_stopped(shutdown.clone()));
        Self { redis, queue, port, admin_port, shutdown, running, _pools: folder }
    }

    /// Sends a delivery.
    pub(crate) async fn send(&self, delivery: &Delivery) -> Response {
        client::send(self.port, &delivery.request()).await
    }

    /// Sends a `workflow_job` event.
    pub(crate) async fn deliver(&self, event: &Value) -> Response {
        self.send(&Delivery::of(event)).await
    }

    /// A job's record.
    pub(crate) async fn job(&self, id: u64) -> Option<JobRecord> {
        self.queue.job(job_id(id)).await.unwrap()
    }

    /// How many jobs wait, in all pools.
    pub(crate) async fn pending(&self) -> u64 {
        self.queue.status().await.unwrap().pools.iter().map(|pool| pool.pending).sum()
    }

    /// A metric's value.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let metrics = client::request(self.admin_port, "GET", "/metrics").await.body;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.running.join_next().await.unwrap().unwrap().unwrap();
    }
}

pub(crate) fn job_id(id: u64) -> JobId {
    id.to_string().parse().unwrap()
}

/// A `workflow_job` event of the job `id`, with labels that the default pool covers.
pub(crate) fn event(action: &str, id: u64) -> Value {
    json!({
        "action": action,
        "workflow_job": {
            "id": id, "run_id": 5, "run_attempt": 1, "name": "build", "workflow_name": "CI",
            "labels": ["self-hosted", "linux"], "conclusion": null, "runner_id": null, "runner_name": null,
        },
        "repository": { "full_name": "octo-org/octo-repo", "owner": { "login": "octo-org" } },
    })
}

/// The same with these values in its job.
pub(crate) fn event_with(action: &str, id: u64, job: &Value) -> Value {
    let mut event = event(action, id);
    event["workflow_job"].as_object_mut().unwrap().extend(job.as_object().unwrap().clone());
    event
}

/// `sha256=` and the signature of `body`.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let tag = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body).finalize().into_bytes();
    format!("sha256={}", hex::encode(tag))
}

/// A delivery as GitHub sends it, until something about it is changed.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) path: &'static str,
    headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// Of a `workflow_job` event, under a GUID of its own.
    pub(crate) fn of(event: &Value) -> Self {
        Self::of_bytes(event.to_string())
    }

    /// Of any body.
    pub(crate) fn of_bytes(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let guid = format!("{:032x}", fastrand::u128(..));
        let signature = signature(SECRET, &body);
        let headers = [
            ("Host", "ingest"),
            ("User-Agent", "GitHub-Hookshot/1234567"),
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", "workflow_job"),
            ("X-GitHub-Delivery", &guid),
            ("X-GitHub-Hook-Installation-Target-Type", "repository"),
            ("X-Hub-Signature-256", &signature),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Self { path: "/webhook", headers, body }
    }

    pub(crate) fn to(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self
    }

    /// With one more header.
    pub(crate) fn and(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With another value of a header.
    pub(crate) fn with(self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.without(name).and(name, value)
    }

    /// The head, ended, with `framing` as its last header.
    pub(crate) fn head(&self, framing: &str) -> Vec<u8> {
        let mut bytes = format!("POST {} HTTP/1.1\r\n", self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(framing.as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }

    /// The whole request, the last of its connection.
    pub(crate) fn request(&self) -> Vec<u8> {
        let framing = format!("Content-Length: {}\r\nConnection: close", self.body.len());
        [self.head(&framing), self.body.clone()].concat()
    }
}
