//! A Docker engine: a private one, or the machine's.

use std::{
    fs, io,
    path::Path,
    process::{Command, ExitStatus},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker};
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use super::{bridge::Bridge, child::OwnedChild, error::HarnessError, leftovers, network::Before};

/// How long an engine may take to answer after its start.
const START: Duration = Duration::from_mins(1);

/// How long an engine may take to stop its containers and to end after SIGTERM.
const STOP: Duration = Duration::from_secs(30);

/// What `dockerd` says when it answers.
const READY: &str = "API listen on";

/// How long one call to it may take, in seconds.
const CALL_SECONDS: u64 = 60;

/// How a private engine is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineOptions {
    /// Let containers reach what the machine reaches, through the bridge `docker0` and the machine's packet filter: one
    /// engine on a machine can do so. Without, containers reach each other and the machine itself, unless they ask for
    /// the host's network.
    pub bridge: bool,
}

/// A Docker engine that answers. A private one is stopped when it is dropped, and everything it had is removed:
/// containers, networks, images, volumes.
#[derive(Debug)]
pub struct Engine {
    host: String,
    ours: Option<Private>,
}

/// The network of a private engine's containers.
#[derive(Debug)]
enum Network {
    /// Cut off from the world.
    Own(Bridge),
    /// The machine's, as it was before.
    Machine(Before),
}

#[derive(Debug)]
struct Private {
    network: Network,
    // There before they have come up, so that a start that fails or is given up leaves nothing either.
    dockerd: Option<OwnedChild>,
    containerd: Option<OwnedChild>,
    /// Whether it has answered once, and so may have something that is to be removed.
    used: bool,
    folder: TempDir,
}

impl Engine {
    /// Where the machine's engine is, unless `DOCKER_HOST` says otherwise.
    pub const MACHINES: &str = "unix:///var/run/docker.sock";

    /// Starts a private engine, in a folder and on a socket of its own. Cancel-safe: nothing is left of one that has not
    /// come up.
    ///
    /// # Errors
    ///
    /// [`HarnessError::NotRoot`]; [`HarnessError::Missing`] without `dockerd`; [`HarnessError::EngineRuns`] when the
    /// bridge was asked for and another engine has it; others when it does not come up.
    pub async fn start(options: EngineOptions) -> Result<Self, HarnessError> {
        if !geteuid().is_root() {
            return Err(HarnessError::NotRoot);
        }
        let network = Network::prepare(options)?;
        let folder = tempfile::Builder::new().prefix("engine-").tempdir();
        let folder = folder.map_err(HarnessError::system("make a folder for dockerd"))?;
        let mut ours = Private { network, dockerd: None, containerd: None, used: false, folder };
        ours.start_containerd().await?;
        ours.start_dockerd().await?;
        Ok(Self { host: host(ours.folder.path()), ours: Some(ours) })
    }

    /// The engine that `DOCKER_HOST` names, or else the machine's.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn from_env() -> Result<Self, HarnessError> {
        let host = std::env::var_os("DOCKER_HOST").and_then(|host| host.into_string().ok());
        Self::at(host.as_deref().unwrap_or(Self::MACHINES)).await
    }

    /// The engine at an address as `DOCKER_HOST` has it. It is neither stopped nor emptied from here.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn at(host: &str) -> Result<Self, HarnessError> {
        let engine = Self { host: host.to_owned(), ours: None };
        engine.client().await.map(|_| engine)
    }

    /// Whether it was started here.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.ours.is_some()
    }

    /// Its address, for `DOCKER_HOST`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A client of it, in the newest version of the API that both speak.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn client(&self) -> Result<Docker, HarnessError> {
        connect(&self.host).await.map_err(|error| HarnessError::System {
            what: format!("reach the Docker engine at {}", self.host),
            source: io::Error::other(error),
        })
    }

    /// How it ended, if it is a private one that has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.ours.as_mut()?.dockerd.as_mut()?.ended()
    }

    /// Stops it in an orderly way (SIGTERM): its containers are stopped, too. Images and containers stay on disk.
    ///
    /// # Errors
    ///
    /// [`HarnessError::NotOurs`]; when it does not end.
    pub async fn stop(&mut self) -> Result<(), HarnessError> {
        let Some(dockerd) = &mut self.ours()?.dockerd else { return Ok(()) };
        dockerd.signal(Signal::TERM)?;
        dockerd.wait(STOP).await.map(drop)
    }

    /// Ends it at once (SIGKILL). Its containers run on until it is [started again](Self::restart).
    ///
    /// # Errors
    ///
    /// [`HarnessError::NotOurs`].
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        self.ours()?.dockerd.iter_mut().for_each(OwnedChild::kill);
        Ok(())
    }

    /// Starts it again at the same address, having stopped it if it runs.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), HarnessError> {
        if !self.ours()?.has_ended() {
            self.stop().await?;
        }
        self.ours()?.start_dockerd().await
    }

    fn ours(&mut self) -> Result<&mut Private, HarnessError> {
        self.ours.as_mut().ok_or_else(|| HarnessError::NotOurs { host: self.host.clone() })
    }
}

/// A client of the engine at `host`.
pub(super) async fn connect(host: &str) -> Result<Docker, bollard::errors::Error> {
    let docker = match host.strip_prefix("unix://") {
        Some(path) => Docker::connect_with_unix(path, CALL_SECONDS, API_DEFAULT_VERSION)?,
        None => Docker::connect_with_host(host)?,
    };
    docker.negotiate_version().await
}

/// The address of the engine in `folder`.
fn host(folder: &Path) -> String {
    format!("unix://{}/docker.sock", folder.display())
}

impl Private {
    /// A containerd of its own: `dockerd` would use the machine's, where two engines meet.
    async fn start_containerd(&mut self) -> Result<(), HarnessError> {
        let config = self.folder.path().join("containerd.toml");
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let (root, state, address) = (path("containerd"), path("state"), path("containerd.sock"));
        let text = format!(
            "version = 2\nroot = {root:?}\nstate = {state:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {address:?}\n"
        );
        fs::write(&config, text).map_err(HarnessError::system("write containerd's settings"))?;
        let mut command = daemon("containerd");
        command.arg("--config").arg(config);
        let containerd = self.containerd.insert(spawn("containerd", command)?);
        containerd.printed("containerd successfully booted", START).await.map(drop)
    }

    async fn start_dockerd(&mut self) -> Result<(), HarnessError> {
        let dockerd = self.dockerd.insert(spawn_dockerd(self.folder.path(), self.network.arguments())?);
        dockerd.printed(READY, START).await?;
        self.used = true;
        Ok(())
    }

    fn has_ended(&mut self) -> bool {
        self.dockerd.as_mut().is_none_or(|dockerd| dockerd.ended().is_some())
    }

    /// Removes what the engine has. Only an engine knows that: one that has ended is started once more.
    fn empty(&mut self) {
        let folder = self.folder.path();
        if self.dockerd.as_mut().is_none_or(|dockerd| dockerd.ended().is_some()) {
            // Before it is: it would give running containers time to stop.
            leftovers::end_containers(folder);
            self.dockerd = spawn_dockerd(folder, self.network.arguments()).ok().and_then(|mut dockerd| {
                let ready = async move { dockerd.printed(READY, START).await.map(|_| dockerd) };
                leftovers::block_on(ready)?.ok()
            });
        }
        leftovers::block_on(leftovers::empty(host(folder)));
    }
}

fn spawn_dockerd(folder: &Path, network: Vec<String>) -> Result<OwnedChild, HarnessError> {
    // Settings of its own: those of the machine's engine would contradict the arguments.
    let config = folder.join("daemon.json");
    fs::write(&config, "{}").map_err(HarnessError::system("write dockerd's settings"))?;
    let mut command = daemon("dockerd");
    command.arg("--config-file").arg(config);
    command.arg("--host").arg(host(folder));
    command.arg("--containerd").arg(folder.join("containerd.sock"));
    command.arg("--data-root").arg(folder.join("data"));
    command.arg("--exec-root").arg(folder.join("exec"));
    command.arg("--pidfile").arg(folder.join("docker.pid")).args(network);
    spawn("dockerd", command)
}

/// A daemon is found where root's path would have it, even if the caller's has not.
fn daemon(program: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", format!("{}:/usr/local/sbin:/usr/sbin:/sbin", path.to_string_lossy()));
    command
}

fn spawn(program: &str, mut command: Command) -> Result<OwnedChild, HarnessError> {
    OwnedChild::spawn(program, &mut command, false).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => HarnessError::Missing { program: program.to_owned(), package: "docker.io" },
        _ => HarnessError::system(format!("start {program}"))(error),
    })
}

impl Network {
    fn prepare(options: EngineOptions) -> Result<Self, HarnessError> {
        if options.bridge { Before::look().map(Self::Machine) } else { Bridge::create().map(Self::Own) }
    }

    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Own(bridge) => bridge.arguments().into(),
            Self::Machine(_) => Vec::new(),
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if self.used {
            self.empty();
        }
        self.dockerd.iter_mut().for_each(|dockerd| dockerd.stop(STOP));
        leftovers::end_processes(self.folder.path());
        self.containerd.iter_mut().for_each(|containerd| containerd.stop(STOP));
        leftovers::unmount(self.folder.path());
        if let Network::Machine(before) = &self.network {
            before.restore();
        }
    }
}
