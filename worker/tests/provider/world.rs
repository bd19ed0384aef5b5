//! A Docker engine, an image to run, and runners that are removed when the test ends.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bollard::{
    Docker,
    models::Network,
    query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder},
};
use devstack::{
    docker::{self, StandIn},
    harness::Engine,
};
use shared::{
    model::{DockerAccess, DockerOptions, JobId, PoolName, PullPolicy, RunnerId, RunnerName, WorkerName},
    settings::Environment,
    telemetry::chain,
};
use tokio::sync::OnceCell;
use worker::{
    provider::{
        Provider, RunnerHandle,
        docker::{BuildPath, DockerConfig, DockerProvider, EngineHost, RunnerDockerfile},
    },
    runner::{Credentials, JitFiles, RunnerSpec, label},
};

use super::images;

/// The image of the tests: busybox, a user, and a `run.sh` that runs what `$SCRIPT` says.
pub(crate) const IMAGE: &str = "autoscaler-test/provider:1";
/// Base64 of `{".credentials":"<hush-hush>",".runner":"{}"}` with base64 values; the secret is `hush-hush`.
const JIT: &str = "eyIuY3JlZGVudGlhbHMiOiJhSFZ6YUMxb2RYTm8iLCIucnVubmVyIjoiZTMwPSJ9";

/// After how long alone something is removed: tests make things at the same time on one engine.
const ALONE_FOR: Duration = Duration::from_secs(15);

static BUILT: OnceCell<()> = OnceCell::const_new();
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A provider, and the jobs that runners were made for.
pub(crate) struct World<P: Provider> {
    pub(crate) provider: P,
    jobs: Mutex<Vec<JobId>>,
    sweeper: Arc<Sweeper>,
    host: String,
    /// Its runners' network goes with it.
    worker: WorkerName,
    pub(crate) engine: Option<StandIn>,
}

/// Makes a provider for another runtime.
type Sweeper = dyn Fn() -> DockerProvider + Send + Sync;

/// The settings of the engine that `DOCKER_HOST` names.
pub(crate) fn config() -> DockerConfig {
    let mut environment = Environment::read();
    let config = environment.section("DOCKER_");
    environment.finish().expect("DOCKER_HOST");
    config
}

/// Docker, with the test image built.
pub(crate) async fn docker() -> World<DockerProvider> {
    let provider = DockerProvider::new(config(), IMAGE).alone_for(ALONE_FOR);
    if let Err(error) = provider.ping().await {
        panic!("these tests need a Docker engine; DOCKER_HOST says where it is: {}", chain(&error));
    }
    BUILT.get_or_init(|| build(config())).await;
    World::new(provider, config(), None)
}

/// An engine of the test's own, with the test image built.
pub(crate) async fn own(engine: &Engine) -> World<DockerProvider> {
    let config = DockerConfig { host: engine.host().parse().unwrap(), ..DockerConfig::default() };
    build(config.clone()).await;
    World::new(DockerProvider::new(config.clone(), IMAGE), config, None)
}

/// The Docker provider, on a stand-in for an engine: faults are shown with it, so it has to keep what an engine promises.
pub(crate) async fn stand_in() -> World<DockerProvider> {
    let image = |name: &str, program| docker::Image { name: name.to_owned(), program };
    let images = vec![image(IMAGE, docker::Program::Shell), image(images::DAEMON, docker::Program::Daemon)];
    let engine = StandIn::start(docker::Config { images }).unwrap();
    let host: EngineHost = engine.host().parse().unwrap();
    let config = DockerConfig { host, ..DockerConfig::default() };
    World::new(DockerProvider::new(config.clone(), IMAGE).alone_for(Duration::from_millis(1)), config, Some(engine))
}

/// A provider that builds [`IMAGE`] from `directory`.
pub(crate) fn builder(directory: &Path) -> DockerProvider {
    builder_of(config(), directory, IMAGE)
}

pub(crate) fn builder_of(config: DockerConfig, directory: &Path, image: &str) -> DockerProvider {
    let config = DockerConfig {
        build_image: true,
        build_path: BuildPath(directory.to_owned()),
        runner_dockerfile: RunnerDockerfile("Dockerfile".into()),
        ..config
    };
    DockerProvider::new(config, image)
}

async fn build(config: DockerConfig) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["root/bin", "root/etc", "home", "ignored"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    images::put_busybox(&path("root/bin"));
    fs::write(path("root/etc/passwd"), "root:x:0:0::/:/bin/sh\nrunner:x:1001:123::/home/runner:/bin/sh\n").unwrap();
    for (name, text) in [("home/run.sh", "eval \"$SCRIPT\""), ("home/config.sh", "echo \"configured $*\"")] {
        fs::write(path(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(path("ignored/file"), "x").unwrap();
    fs::write(path(".dockerignore"), "ignored\n").unwrap();
    let dockerfile =
        "FROM scratch\nCOPY root/ /\nCOPY --chown=1001:123 home /home/runner\nUSER runner\nWORKDIR /home/runner\n";
    fs::write(path("Dockerfile"), dockerfile).unwrap();
    let builder = builder_of(config, directory.path(), IMAGE);
    builder.prepare(IMAGE, PullPolicy::Never).await.expect("the test image is built");
}

impl World<DockerProvider> {
    fn new(provider: DockerProvider, config: DockerConfig, engine: Option<StandIn>) -> Self {
        let worker = format!("provider-test-{}", unique()).parse().unwrap();
        let host = config.host.as_str().to_owned();
        let sweeper = Arc::new(move || DockerProvider::new(config.clone(), IMAGE));
        Self { provider, jobs: Mutex::default(), sweeper, host, worker, engine }
    }
}

/// A number that nothing else has.
fn unique() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap() * 100 + COUNTER.fetch_add(1, Ordering::Relaxed) % 100
}

impl<P: Provider> World<P> {
    /// A runner with a JIT configuration, of a job of its own, that runs `script`.
    pub(crate) fn spec(&self, script: &str) -> RunnerSpec {
        let job: JobId = unique().to_string().parse().unwrap();
        self.jobs.lock().unwrap().push(job);
        RunnerSpec {
            name: RunnerName::new(&"test".parse().unwrap(), job, 1),
            job: Some(job),
            pool: PoolName::default_pool(),
            worker: self.worker.clone(),
            scope: "octo/repo".parse().unwrap(),
            runner_id: Some(RunnerId(23)),
            image: IMAGE.to_owned(),
            env: [("SCRIPT".to_owned(), script.to_owned())].into(),
            docker: DockerOptions { pull: PullPolicy::Never, ..DockerOptions::default() },
            keep_failed: None,
            credentials: Credentials::Jit(JitFiles::parse(JIT).unwrap()),
            labels: "self-hosted,linux".parse().unwrap(),
            runner_group: "Default".to_owned(),
        }
    }

    /// A runner with a daemon beside it, whose jobs have Docker's client.
    pub(crate) fn with_daemon(&self, script: &str) -> RunnerSpec {
        let mut spec = self.spec(script);
        if self.engine.is_none() {
            images::CLIENT.clone_into(&mut spec.image);
        }
        spec.docker.docker = DockerAccess::Dind;
        spec.docker.dind_image = Some(images::DAEMON.to_owned());
        spec.docker.dind_cap_add = images::DAEMON_CAPABILITIES.map(str::to_owned).into();
        spec
    }

    /// A client of the engine.
    pub(crate) fn client(&self) -> Docker {
        Docker::connect_with_host(&self.host).unwrap()
    }

    /// What stands beside a runner: containers and volumes, by name.
    pub(crate) async fn beside(&self, runner: &RunnerName) -> Vec<String> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{}={runner}", label::BESIDE)])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let containers = self.client().list_containers(Some(options)).await.unwrap();
        let containers = containers.into_iter().map(|container| container.names.unwrap().concat());
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let volumes = self.client().list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default();
        containers.chain(volumes.into_iter().map(|volume| volume.name)).collect()
    }

    /// The networks that were made for its worker.
    pub(crate) async fn networks(&self) -> Vec<Network> {
        networks(&self.client(), &self.worker).await
    }

    /// A runner that was started.
    pub(crate) async fn started(&self, spec: &RunnerSpec) -> RunnerHandle {
        let runner = self.provider.create(spec).await.unwrap();
        self.provider.start(&runner).await.unwrap();
        runner
    }
}

async fn networks(client: &Docker, worker: &WorkerName) -> Vec<Network> {
    let filters = HashMap::from([("label".to_owned(), vec![format!("{}={worker}", label::WORKER)])]);
    client.list_networks(Some(ListNetworksOptionsBuilder::new().filters(&filters).build())).await.unwrap()
}

impl<P: Provider> Drop for World<P> {
    /// Removes what the test made, even if it failed.
    fn drop(&mut self) {
        let (jobs, sweeper) = (std::mem::take(&mut *self.jobs.lock().unwrap()), Arc::clone(&self.sweeper));
        let (host, worker) = (self.host.clone(), self.worker.clone());
        let swept = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let provider = sweeper();
                for job in jobs {
                    for found in provider.find(job).await.unwrap() {
                        provider.remove(&found.runner).await.unwrap();
                    }
                }
                let client = Docker::connect_with_host(&host).unwrap();
                for network in networks(&client, &worker).await {
                    client.remove_network(&network.id.unwrap()).await.unwrap();
                }
            });
        });
        assert!(swept.join().is_ok() || std::thread::panicking(), "the test's containers are not all removed");
    }
}
