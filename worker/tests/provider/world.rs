//! A Docker engine, an image to run, and runners that are removed when the test ends.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use devstack::docker::{self, StandIn};
use shared::{
    model::{DockerOptions, JobId, PoolName, PullPolicy, RunnerId, RunnerName},
    settings::Environment,
    telemetry::chain,
};
use tokio::sync::OnceCell;
use worker::{
    provider::{
        Provider, RunnerHandle,
        docker::{BuildPath, DockerConfig, DockerProvider, EngineHost, RunnerDockerfile},
    },
    runner::{Credentials, JitFiles, RunnerSpec},
};

/// The image of the tests: busybox, a user, and a `run.sh` that runs what `$SCRIPT` says.
pub(crate) const IMAGE: &str = "autoscaler-test/provider:1";
/// Base64 of `{".credentials":"<hush-hush>",".runner":"{}"}` with base64 values; the secret is `hush-hush`.
const JIT: &str = "eyIuY3JlZGVudGlhbHMiOiJhSFZ6YUMxb2RYTm8iLCIucnVubmVyIjoiZTMwPSJ9";

static BUILT: OnceCell<()> = OnceCell::const_new();
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A provider, and the jobs that runners were made for.
pub(crate) struct World<P: Provider> {
    pub(crate) provider: P,
    jobs: Mutex<Vec<JobId>>,
    sweeper: Arc<Sweeper>,
    _engine: Option<StandIn>,
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
    let provider = DockerProvider::new(config(), IMAGE);
    if let Err(error) = provider.ping().await {
        panic!("these tests need a Docker engine; DOCKER_HOST says where it is: {}", chain(&error));
    }
    BUILT.get_or_init(build).await;
    let sweeper = Arc::new(|| DockerProvider::new(config(), IMAGE));
    World { provider, jobs: Mutex::default(), sweeper, _engine: None }
}

/// The Docker provider, on a stand-in for an engine: faults are shown with it, so it has to keep what an engine promises.
pub(crate) async fn stand_in() -> World<DockerProvider> {
    let image = docker::Image { name: IMAGE.to_owned(), program: docker::Program::Shell };
    let engine = StandIn::start(docker::Config { images: vec![image] }).unwrap();
    let host: EngineHost = engine.host().parse().unwrap();
    let sweeper: Arc<Sweeper> =
        Arc::new(move || DockerProvider::new(DockerConfig { host: host.clone(), ..DockerConfig::default() }, IMAGE));
    World { provider: sweeper(), jobs: Mutex::default(), sweeper, _engine: Some(engine) }
}

/// A provider that builds [`IMAGE`] from `directory`.
pub(crate) fn builder(directory: &Path) -> DockerProvider {
    let config = DockerConfig {
        build_image: true,
        build_path: BuildPath(directory.to_owned()),
        runner_dockerfile: RunnerDockerfile("Dockerfile".into()),
        ..config()
    };
    DockerProvider::new(config, IMAGE)
}

async fn build() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let busybox = busybox.expect("these tests need busybox: apt-get install busybox-static");
    for name in ["root/bin", "root/etc", "home", "ignored"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    fs::copy(busybox, path("root/bin/busybox")).unwrap();
    for tool in ["sh", "cat", "dd", "id", "ls", "sleep", "stat"] {
        symlink("busybox", path("root/bin").join(tool)).unwrap();
    }
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
    builder(directory.path()).prepare(IMAGE, PullPolicy::Never).await.expect("the test image is built");
}

impl<P: Provider> World<P> {
    /// A runner with a JIT configuration, of a job of its own, that runs `script`.
    pub(crate) fn spec(&self, script: &str) -> RunnerSpec {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let number = u64::try_from(since.as_micros()).unwrap() * 100 + COUNTER.fetch_add(1, Ordering::Relaxed) % 100;
        let job: JobId = number.to_string().parse().unwrap();
        self.jobs.lock().unwrap().push(job);
        RunnerSpec {
            name: RunnerName::new(&"test".parse().unwrap(), job, 1),
            job: Some(job),
            pool: PoolName::default_pool(),
            worker: "provider-test".parse().unwrap(),
            scope: "octo/repo".parse().unwrap(),
            runner_id: Some(RunnerId(23)),
            image: IMAGE.to_owned(),
            env: [("SCRIPT".to_owned(), script.to_owned())].into(),
            docker: DockerOptions { pull: PullPolicy::Never, ..DockerOptions::default() },
            credentials: Credentials::Jit(JitFiles::parse(JIT).unwrap()),
            labels: "self-hosted,linux".parse().unwrap(),
            runner_group: "Default".to_owned(),
        }
    }

    /// A runner that was started.
    pub(crate) async fn started(&self, spec: &RunnerSpec) -> RunnerHandle {
        let runner = self.provider.create(spec).await.unwrap();
        self.provider.start(&runner).await.unwrap();
        runner
    }
}

impl<P: Provider> Drop for World<P> {
    /// Removes what the test made, even if it failed.
    fn drop(&mut self) {
        let (jobs, sweeper) = (std::mem::take(&mut *self.jobs.lock().unwrap()), Arc::clone(&self.sweeper));
        let swept = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let provider = sweeper();
                for job in jobs {
                    for found in provider.find(job).await.unwrap() {
                        provider.remove(&found.runner).await.unwrap();
                    }
                }
            });
        });
        assert!(swept.join().is_ok(), "the test's containers are not all removed");
    }
}
