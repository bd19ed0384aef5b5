//! One `devstack up`, in a folder and with a temporary directory of its own.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptions};
use devstack::harness::{Engine, Process, ProcessSpec, Signal};
use rustix::process::{Pid, kill_process_group};
use tempfile::TempDir;

use crate::processes::{Running, of_folder, with_descendants};

/// How long anything may take here: the machine may be busy with other tests, and the runner may have to be compiled.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// How long it may take to end when its test has failed.
const STOP: Duration = Duration::from_secs(40);

/// Variables that would be settings of the command.
const SETTINGS: [&str; 7] = ["AUTOSCALER_", "QUEUE_", "INGEST_", "WORKER_", "RUNNER_", "DOCKER_", "RUST_LOG"];

pub(crate) struct Up {
    pub(crate) process: Process,
    /// Where temporary files of it go: all of its folders, and nothing else.
    temporary: TempDir,
    /// What was running of it, and the bridges that its engines had.
    seen: BTreeSet<Running>,
    bridges: BTreeSet<PathBuf>,
}

/// What it is started with besides its arguments.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Where it looks for `.env`.
    pub(crate) folder: Option<PathBuf>,
    /// As somebody else.
    pub(crate) through: Vec<&'static str>,
    pub(crate) program: Option<PathBuf>,
}

impl Options {
    /// Uses the engine of these tests, which is the machine's to the command.
    pub(crate) async fn on_the_machines_engine() -> Self {
        let engine = Engine::from_env().await.expect("these tests need a Docker engine: run ./devstack/test");
        Self { environment: vec![("DOCKER_HOST", engine.host().to_owned())], ..Self::default() }
    }
}

impl Up {
    pub(crate) fn start(arguments: &[&str], options: Options) -> Self {
        let devstack = options.program.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_devstack")));
        for program in ["ingest", "worker"] {
            let beside = Path::new(env!("CARGO_BIN_EXE_devstack")).with_file_name(program);
            assert!(beside.exists(), "{} is not built: run cargo build --workspace --bins", beside.display());
        }
        let temporary = tempfile::Builder::new().prefix("up-test-").tempdir().unwrap();
        let (program, before) = match options.through.split_first() {
            Some((program, arguments)) => (PathBuf::from(program), arguments.to_vec()),
            None => (devstack.clone(), Vec::new()),
        };
        let mut spec = ProcessSpec::new(program);
        for (name, value) in std::env::vars() {
            if !SETTINGS.iter().any(|prefix| name.starts_with(prefix)) {
                spec = spec.env(name, value);
            }
        }
        spec = before.iter().fold(spec, |spec, argument| spec.arg(*argument));
        if !options.through.is_empty() {
            spec = spec.arg(devstack);
        }
        spec = arguments.iter().fold(spec.arg("up"), |spec, argument| spec.arg(*argument));
        spec = spec.envs(options.environment).env("TMPDIR", temporary.path());
        spec = options.folder.into_iter().fold(spec, ProcessSpec::folder);
        let process = Process::start(&spec).unwrap();
        Self { process, temporary, seen: BTreeSet::new(), bridges: BTreeSet::new() }
    }

    /// Waits until it has printed this.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        self.process.wait_for_line(text, PATIENCE).await.unwrap()
    }

    /// What runs of it now: the containers' processes as well.
    pub(crate) fn look(&mut self) -> BTreeSet<Running> {
        let ours = with_descendants(&of_folder(self.temporary.path()));
        let bridge = |process: &Running| {
            let (_, behind) = process.command.split_once("--bridge=")?;
            Some(Path::new("/sys/class/net").join(behind.split(' ').next()?))
        };
        self.bridges.extend(ours.iter().filter_map(bridge));
        self.seen.extend(ours.iter().cloned());
        ours
    }

    /// Waits until something of it runs whose command contains `text`.
    pub(crate) async fn runs(&mut self, text: &str) -> Running {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self
                .look()
                .into_iter()
                .find(|process| process.command.contains(text) && process.pid != self.process.pid());
            if let Some(found) = found {
                return found;
            }
            let waits = Instant::now() < deadline && self.process.ended().is_none();
            assert!(waits, "no {text} runs; it said:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ctrl-C at a terminal: it reaches the whole process group.
    pub(crate) fn press_ctrl_c(&mut self) {
        let group = Pid::from_raw(self.process.pid().try_into().unwrap()).unwrap();
        kill_process_group(group, Signal::INT).unwrap();
    }

    pub(crate) fn said(&self) -> String {
        self.process.lines().join("\n")
    }

    /// Waits for its end, sees that it has left nothing, and returns its exit code and what it said.
    pub(crate) async fn ends(mut self) -> (Option<i32>, String) {
        let status = self.process.wait(PATIENCE).await.unwrap_or_else(|error| panic!("{error}\n{}", self.said()));
        // What it printed last is on its way through the pipe.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let said = self.said();

        let seen: Vec<&Running> = self.seen.iter().filter(|process| !process.is_gone()).collect();
        assert!(seen.is_empty(), "they run still: {seen:?}\n{said}");
        let folder = self.temporary.path();
        let running = of_folder(folder);
        assert!(running.is_empty(), "they run still: {running:?}\n{said}");
        let files: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(files.is_empty(), "these are left: {files:?}\n{said}");
        assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains(folder.to_str().unwrap()), "{said}");
        for bridge in &self.bridges {
            assert!(!bridge.exists(), "{} is left\n{said}", bridge.display());
        }
        let worker = format!("up-{}", self.process.pid());
        if let Ok(engine) = Engine::from_env().await {
            let docker = engine.client().await.unwrap();
            let filter = [("label".to_owned(), vec![format!("autoscaler.worker={worker}")])].into();
            let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
            let containers = docker.list_containers(Some(options)).await.unwrap();
            assert!(containers.is_empty(), "{containers:?}\n{said}");
            let images = docker.list_images(None::<ListImagesOptions>).await.unwrap();
            let tags: Vec<String> = images.into_iter().flat_map(|image| image.repo_tags).collect();
            assert!(!tags.iter().any(|tag| tag.contains(&worker)), "{tags:?}\n{said}");
        }
        (status.code(), said)
    }
}

impl Drop for Up {
    /// A test that fails leaves nothing either: killed, the command could remove nothing.
    fn drop(&mut self) {
        let deadline = Instant::now() + STOP;
        let _told = self.process.signal(Signal::TERM); // it has ended, as a rule
        while self.process.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
