//! A stack that `compose.yaml` describes, on an engine of its own, with a stand-in for GitHub beside it.

use std::{
    fs::{self, Permissions},
    net::Ipv4Addr,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{
    Docker,
    query_parameters::{ListContainersOptionsBuilder, ListVolumesOptions},
};
use devstack::{
    github::{Config, Permissions as Granted, StandIn, Webhook},
    harness::{Engine, EngineOptions, HarnessError, Process, ProcessSpec, free_port},
    runner::RunnerImage,
};
use secrecy::SecretString;
use serde_json::Value;
use shared::queue::{Queue, QueueConfig};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{Inspected, containers::Services};

pub(crate) const SECRET: &str = "a webhook secret that must not be seen";
pub(crate) const ADMIN_TOKEN: &str = "a-token-that-must-not-be-seen";
pub(crate) const TOKEN: &str = "ghp_tokenThatMustNotBeSeen";

/// How long anything may take, but for the making of images.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How long the images may take: the base one is made of a hundred packages.
const IMAGES: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(100);

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Networks that an engine makes for itself.
const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];
/// What compose calls a container's service.
const SERVICE: &str = "com.docker.compose.service";

pub(crate) struct Stack {
    pub(crate) github: StandIn,
    /// Where ingest's private listener is published.
    pub(crate) admin_port: u16,
    docker: Docker,
    compose: ProcessSpec,
    // Last: with the engine, all that is left goes.
    engine: Engine,
    _files: TempDir,
}

impl Stack {
    /// Brings it up with two workers, and waits until all are healthy.
    pub(crate) async fn up() -> Self {
        let engine = engine().await;
        let docker = engine.client().await.unwrap();
        run(base_images(&engine), IMAGES).await;
        RunnerImage::compile().await.unwrap().build(&docker, "devstack-runner:latest").await.unwrap();

        let bind = (bridge_address(&docker).await, 0).into();
        let github = StandIn::start(Config { bind, ..Config::default() }.token(TOKEN, Granted::all())).unwrap();
        let (port, admin_port) = (free_port().unwrap(), free_port().unwrap());
        github.set_webhook(Webhook::json(format!("http://127.0.0.1:{port}/webhook"), SECRET));

        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("env"), settings(&engine, &github, files.path(), [port, admin_port])).unwrap();
        let compose = ProcessSpec::new("docker-compose")
            .arg("--project-name")
            .arg("compose-test")
            .arg("--env-file")
            .arg(files.path().join("env"))
            .env("DOCKER_HOST", engine.host())
            .folder(ROOT);
        let stack = Self { github, admin_port, docker, compose, engine, _files: files };
        stack.compose(&["up", "-d", "--no-build", "--scale", "worker=2"]).await;
        stack.until("all are healthy", async || stack.are_healthy().await).await;
        stack
    }

    /// Runs docker-compose, and returns what it printed.
    pub(crate) async fn compose(&self, arguments: &[&str]) -> Vec<String> {
        run(arguments.iter().fold(self.compose.clone(), |spec, argument| spec.arg(*argument)), PATIENCE).await
    }

    /// The same, for the line of JSON in it.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let lines = self.compose(arguments).await;
        let line = lines.iter().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON: {lines:?}"));
        serde_json::from_str(line).unwrap()
    }

    /// All containers of the engine.
    pub(crate) async fn containers(&self) -> Vec<Inspected> {
        let all = ListContainersOptionsBuilder::default().all(true).build();
        let mut shown = Vec::new();
        for container in self.docker.list_containers(Some(all)).await.unwrap() {
            // One that is removed meanwhile is no more.
            if let Ok(inspected) = self.docker.inspect_container(&container.id.unwrap(), None).await {
                shown.push(serde_json::to_value(inspected).unwrap());
            }
        }
        shown
    }

    /// The containers of the services.
    pub(crate) async fn services(&self) -> Services {
        let service = |shown: &Inspected| shown["Config"]["Labels"][SERVICE].as_str().map(str::to_owned);
        let containers = self.containers().await.into_iter();
        containers.filter_map(|shown| service(&shown).map(|service| (service, shown))).collect()
    }

    /// The host names of a service's containers: a worker's is its name.
    pub(crate) async fn names_of(&self, service: &str) -> Vec<String> {
        let services = self.services().await.into_iter().filter(|(name, _)| name == service);
        services.map(|(_, shown)| shown["Config"]["Hostname"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn are_healthy(&self) -> bool {
        let services = self.services().await;
        services.len() == 4 && services.iter().all(|(_, shown)| shown["State"]["Health"]["Status"] == "healthy")
    }

    /// The queue's only network has no way out.
    pub(crate) async fn queue_is_cut_off_from_the_world(&self) {
        let redis = self.redis().await;
        let networks = redis["NetworkSettings"]["Networks"].as_object().unwrap();
        assert_eq!(networks.len(), 1, "{networks:?}");
        let network = self.docker.inspect_network(networks.keys().next().unwrap(), None).await.unwrap();
        assert_eq!(network.internal, Some(true));
    }

    /// The queue in the stack: the machine itself is in every network of an engine.
    pub(crate) async fn queue(&self) -> Queue {
        let redis = self.redis().await;
        let networks = redis["NetworkSettings"]["Networks"].as_object().unwrap();
        let address = networks.values().find_map(|network| network["IPAddress"].as_str()).unwrap();
        let url = SecretString::from(format!("redis://{address}:6379"));
        Queue::new(&QueueConfig { url, ..QueueConfig::default() }).unwrap()
    }

    async fn redis(&self) -> Inspected {
        self.services().await.into_iter().find(|(name, _)| name == "redis").unwrap().1
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so().await {
            if Instant::now() > deadline {
                let said = self.compose(&["logs", "--no-color", "--tail", "40"]).await.join("\n");
                let health: Vec<String> =
                    self.services().await.iter().map(|(name, shown)| format!("{name}: {}", shown["State"])).collect();
                panic!("not in {PATIENCE:?}: {what}\n{said}\n{}", health.join("\n"));
            }
            sleep(LOOK).await;
        }
    }

    /// Takes it down: nothing of it is left on the engine.
    pub(crate) async fn down(self) {
        self.compose(&["down", "-v"]).await;
        assert_eq!(self.containers().await, [] as [Inspected; 0]);
        let networks = self.docker.list_networks(None).await.unwrap().into_iter().filter_map(|network| network.name);
        let networks: Vec<String> = networks.filter(|name| !BUILT_IN.contains(&name.as_str())).collect();
        assert_eq!(networks, [] as [String; 0]);
        let volumes = self.docker.list_volumes(None::<ListVolumesOptions>).await.unwrap().volumes.unwrap_or_default();
        assert!(volumes.is_empty(), "{volumes:?}");
        drop(self.engine);
    }
}

/// An engine of the test's own, with a packet filter as a machine's engine has it. Only one at a time can: another
/// test's is waited for.
async fn engine() -> Engine {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Engine::start(EngineOptions { bridge: true }).await {
            Err(HarnessError::EngineRuns) if Instant::now() < deadline => sleep(Duration::from_secs(1)).await,
            engine => return engine.unwrap_or_else(|error| panic!("{error}")),
        }
    }
}

/// This machine's address on the engine's bridge, by which every container reaches it: the first of its network.
async fn bridge_address(docker: &Docker) -> Ipv4Addr {
    let bridge = docker.inspect_network("bridge", None).await.unwrap();
    let subnet = bridge.ipam.unwrap().config.unwrap().remove(0).subnet.unwrap();
    let network: Ipv4Addr = subnet.split('/').next().unwrap().parse().unwrap();
    Ipv4Addr::from(u32::from(network) + 1)
}

/// Cargo puts the workspace's programs beside this test's own folder.
fn base_images(engine: &Engine) -> ProcessSpec {
    let tests = std::env::current_exe().unwrap();
    let programs: PathBuf = tests.parent().and_then(Path::parent).unwrap().into();
    for name in ["ingest", "worker"] {
        assert!(programs.join(name).exists(), "there is no program {name}: cargo build --workspace --bins");
    }
    let script = Path::new(ROOT).join("devstack/base-images");
    ProcessSpec::new(script).arg(programs).env("DOCKER_HOST", engine.host())
}

/// What `.env` has. Nobody but the owner can enter the folder of the secrets, and the containers' users can read them.
fn settings(engine: &Engine, github: &StandIn, folder: &Path, [port, admin_port]: [u16; 2]) -> String {
    let socket = engine.host().strip_prefix("unix://").unwrap();
    let secrets = folder.join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::set_permissions(&secrets, Permissions::from_mode(0o700)).unwrap();
    for (name, secret) in [("webhook_secret", SECRET), ("github_pat", TOKEN), ("admin_token", ADMIN_TOKEN)] {
        fs::write(secrets.join(name), format!("{secret}\n")).unwrap();
        fs::set_permissions(secrets.join(name), Permissions::from_mode(0o444)).unwrap();
    }
    format!(
        "DOCKER_SOCKET={socket}\nDOCKER_GID={group}\nSECRETS_DIR={secrets}\nWEBHOOK_PORT=127.0.0.1:{port}\nADMIN_PORT=127.0.0.1:{admin_port}\n\
         AUTOSCALER_GITHUB_URL={url}\nRUNNER_LABELS=self-hosted,linux\nDOCKER_RUNNER_IMAGE=devstack-runner\n",
        group = fs::metadata(socket).unwrap().gid(),
        secrets = secrets.display(),
        url = github.url(),
    )
}

/// Runs a program to its good end, and returns what it printed.
async fn run(spec: ProcessSpec, within: Duration) -> Vec<String> {
    let mut process = match Process::start(&spec) {
        Err(HarnessError::NotBuilt { program }) => {
            panic!("{program} is missing; if it is docker-compose: apt-get install docker-compose")
        }
        process => process.unwrap(),
    };
    let status = process.wait(within).await.unwrap();
    sleep(LOOK).await; // its last words may still be in the pipe
    assert!(status.success(), "{status}: {spec:?}\n{}", process.lines().join("\n"));
    process.lines()
}
