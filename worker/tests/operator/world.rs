//! A machine on which `worker` is run: a folder with its settings, and what is around it.

use std::{collections::BTreeMap, path::PathBuf, process::Stdio, time::Duration};

use devstack::{
    docker::{self, StandIn as Docker},
    github::{APP_KEY, Config, Permissions, StandIn as Github},
    harness::{Process, ProcessSpec, free_port},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    process::Command,
    time::{sleep, timeout},
};

pub(crate) const SECRET: &str = "a secret of at least sixteen bytes";
pub(crate) const TOKEN: &str = "ghp_standInTokenThatMustNotLeak";
pub(crate) const IMAGE: &str = "runner:1";

/// How long anything may take here: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub(crate) github: Github,
    pub(crate) docker: Docker,
    pub(crate) folder: TempDir,
    /// What `worker` and `ingest` are told.
    pub(crate) settings: BTreeMap<String, String>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// An `ingest` that runs.
pub(crate) struct Ingest {
    pub(crate) url: String,
    _process: Process,
}

impl World {
    /// A machine with a token that may do all, and one pool.
    pub(crate) fn new() -> Self {
        Self::with(Config::default().token(TOKEN, Permissions::all()))
    }

    pub(crate) fn with(config: Config) -> Self {
        let github = Github::start(config).unwrap();
        let docker = Docker::start(docker::Config::runners(IMAGE)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("HOME", folder.path().join("home").display().to_string()),
            ("DOCKER_HOST", docker.host().to_owned()),
            ("AUTOSCALER_GITHUB_URL", github.url().to_owned()),
            ("AUTOSCALER_GITHUB_PAT", TOKEN.to_owned()),
            ("AUTOSCALER_SECRET_TOKEN", SECRET.to_owned()),
            ("QUEUE_URL", format!("sqlite:{}", folder.path().join("queue.db").display())),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        let world = Self { github, docker, folder, settings };
        world.pools(&format!("[[pool]]\nname = 'default'\nlabels = ['self-hosted', 'linux']\nimage = '{IMAGE}'\n"))
    }

    /// The same with these pools.
    pub(crate) fn pools(mut self, text: &str) -> Self {
        let path = self.folder.path().join("pools.toml");
        std::fs::write(&path, text).unwrap();
        self.set("AUTOSCALER_POOLS", &path.display().to_string());
        self
    }

    /// Calls with the App of this id.
    pub(crate) fn as_app(&mut self, id: u64) {
        self.settings.remove("AUTOSCALER_GITHUB_PAT");
        self.set("AUTOSCALER_GITHUB_APP_ID", &id.to_string());
        self.set("AUTOSCALER_GITHUB_APP_PRIVATE_KEY", APP_KEY);
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Runs a command of `worker`.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, "").await
    }

    /// The same, with something to read.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command.args(arguments).env_clear().envs(&self.settings).current_dir(self.folder.path()).kill_on_drop(true);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap_or_default(); // it may have ended without reading
        drop(stdin);
        let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let said = Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        for secret in [TOKEN, SECRET] {
            assert!(!said.out.contains(secret) && !said.err.contains(secret), "{arguments:?}: {said:?}");
        }
        said
    }

    /// What a command prints as JSON, with its exit code.
    pub(crate) async fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let said = self.run(&[arguments, &["--json"]].concat()).await;
        let value = serde_json::from_str(&said.out);
        (said.code, value.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said:?}")))
    }

    /// Starts an `ingest` with this secret.
    pub(crate) async fn ingest(&self, secret: &str) -> Ingest {
        let port = free_port().unwrap();
        let spec = ProcessSpec::new(program("ingest"))
            .envs(self.settings.clone())
            .env("AUTOSCALER_SECRET_TOKEN", secret)
            .env("INGEST_BIND", format!("127.0.0.1:{port}"))
            .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{}", free_port().unwrap()));
        let ingest =
            Ingest { url: format!("http://127.0.0.1:{port}/webhook"), _process: Process::start(&spec).unwrap() };
        let heartbeat = format!("http://127.0.0.1:{port}/heartbeat");
        let http = devstack::deliver::client().unwrap();
        let is_up = async || http.get(&heartbeat).send().await.is_ok_and(|answer| answer.status().is_success());
        assert!(until(is_up).await, "ingest is up");
        ingest
    }
}

/// Waits until it is so; `false` if it is not in time.
pub(crate) async fn until(mut so: impl AsyncFnMut() -> bool) -> bool {
    let looks = async {
        while !so().await {
            sleep(Duration::from_millis(30)).await;
        }
    };
    timeout(PATIENCE, looks).await.is_ok()
}

/// A program of the workspace: cargo puts it beside this test's own folder.
fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(|deps| deps.parent()).unwrap().join(name)
}
