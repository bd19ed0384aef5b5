//! A stand-in with a token, a client that calls it, and a receiver of webhooks.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use devstack::{
    deliver,
    github::{Config, JobSpec, Permissions, StandIn},
    harness::{Process, ProcessSpec},
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long something may take that should be there at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);
pub(crate) const TOKEN: &str = "ghp_all";
pub(crate) const LABELS: [&str; 2] = ["self-hosted", "linux"];

pub(crate) struct Api {
    pub(crate) stand_in: StandIn,
    client: reqwest::Client,
}

impl Api {
    pub(crate) fn start() -> Self {
        Self::with(Config::default())
    }

    /// The token that may do everything is added.
    pub(crate) fn with(config: Config) -> Self {
        let stand_in = StandIn::start(config.token(TOKEN, Permissions::all())).unwrap();
        Self { stand_in, client: deliver::client().unwrap() }
    }

    pub(crate) fn request(&self, token: &str, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let url = format!("{}/api/v3{path}", self.stand_in.url());
        self.client.request(method, url).timeout(SOON).header("User-Agent", "test").bearer_auth(token)
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call_as(TOKEN, method, path, body).await
    }

    pub(crate) async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(token, method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Answer::of(request.send().await.unwrap()).await
    }

    /// A request below `/_standin`.
    pub(crate) async fn own(&self, method: &str, path: &str, authorization: &str, body: Option<Value>) -> Answer {
        let url = format!("{}/_standin{path}", self.stand_in.url());
        let request = self.client.request(method.parse().unwrap(), url).timeout(SOON);
        let request = request.header("Authorization", authorization).json(&body.unwrap_or_default());
        Answer::of(request.send().await.unwrap()).await
    }

    /// Registers a runner; returns its files.
    pub(crate) async fn jit(&self, at: &str, name: &str) -> Value {
        let body = json!({ "name": name, "runner_group_id": 1, "labels": LABELS, "work_folder": "_work" });
        let answer = self.call("POST", &format!("{at}/actions/runners/generate-jitconfig"), Some(body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        files(&answer.body)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// The files of a JIT configuration: names and content.
pub(crate) fn files(answer: &Value) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let decode = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
    let files: Value = serde_json::from_slice(&decode(&answer["encoded_jit_config"])).unwrap();
    let files = files.as_object().unwrap().iter();
    files.map(|(name, content)| (name.clone(), String::from_utf8(decode(content)).unwrap())).collect()
}

/// A runner's home, with the program under the names that its scripts have.
pub(crate) struct Home(pub(crate) TempDir);

impl Home {
    pub(crate) fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        for name in ["run.sh", "config.sh", "entrypoint"] {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_devstack-runner"), home.path().join(name)).unwrap();
        }
        Self(home)
    }

    pub(crate) fn with(files: &Value) -> Self {
        let home = Self::empty();
        for (name, content) in files.as_object().unwrap() {
            std::fs::write(home.path(name), content.as_str().unwrap()).unwrap();
        }
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn run(&self) -> Process {
        Process::start(&ProcessSpec::new(self.path("run.sh"))).unwrap()
    }
}

/// What one request to [`Receiving`] was.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        line.unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Answers 202 to every request, and keeps them.
pub(crate) struct Receiving {
    pub(crate) url: String,
    pub(crate) requests: Receiver<Received>,
}

impl Receiving {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        // Ends with the test's process: nobody else knows its port.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut bytes = Vec::new();
                let mut chunk = [0; 4096];
                let received = loop {
                    let length = stream.read(&mut chunk).unwrap();
                    bytes.extend_from_slice(&chunk[..length]);
                    if let Some(received) = whole(&bytes) {
                        break received;
                    }
                };
                let answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 6\r\nConnection: close\r\n\r\nqueued";
                stream.write_all(answer.as_bytes()).unwrap();
                if sender.send(received).is_err() {
                    return;
                }
            }
        });
        Self { url, requests }
    }

    pub(crate) fn next(&self) -> Received {
        self.requests.recv_timeout(SOON).expect("no webhook came")
    }
}

fn whole(bytes: &[u8]) -> Option<Received> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let received =
        Received { head: String::from_utf8_lossy(&bytes[..end]).into_owned(), body: bytes[end + 4..].to_vec() };
    let length: usize = received.header("content-length").parse().ok()?;
    (received.body.len() >= length).then_some(received)
}

pub(crate) fn job(script: &str) -> JobSpec {
    JobSpec { script: script.to_owned(), ..JobSpec::of("octo/repo".parse().unwrap()) }
}

/// Waits without blocking the runtime, for things that only the file system tells.
pub(crate) async fn wait_for_file(path: &Path) {
    let until = std::time::Instant::now() + SOON;
    while !path.exists() {
        assert!(std::time::Instant::now() < until, "{} is not there", path.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
