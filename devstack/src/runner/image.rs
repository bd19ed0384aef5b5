//! The stand-in runner's image.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use bollard::{Docker, models::BuildInfo, query_parameters::BuildImageOptionsBuilder};
use futures_util::TryStreamExt as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tar::{Builder, EntryType, Header};
use tokio::{process::Command, time::timeout};

/// What the image is called unless it is said.
const TAG: &str = "devstack-runner:latest";
const DOCKERFILE: &[u8] = include_bytes!("../../runner-image/Dockerfile");
/// Where the program's source is.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
const TARGETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");
/// What the program is built for: the host's kind of machine, with everything linked into it.
const TRIPLE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };
const STATIC: &str = "-C target-feature=+crt-static";
/// How long the program, and then the image, may take to build.
const COMPILE: Duration = Duration::from_mins(10);
const BUILD: Duration = Duration::from_mins(2);

/// The uid and gid of the user `runner`, as in GitHub's image.
pub(crate) const RUNNER: u64 = 1001;
/// Where Debian's and Ubuntu's package `busybox-static` has its program.
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];
/// The commands that a job's step may use.
const COMMANDS: [&str; 41] = [
    "ash", "awk", "base64", "cat", "chmod", "cp", "cut", "date", "dd", "df", "echo", "env", "expr", "false", "find",
    "free", "grep", "head", "hostname", "id", "kill", "ln", "ls", "mkdir", "mv", "nc", "printf", "ps", "pwd", "rm",
    "sed", "seq", "sh", "sleep", "sort", "stat", "tail", "test", "touch", "true", "wget",
];

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is no static busybox on this machine.
    #[error("there is no static busybox on this machine; install it: apt-get install busybox-static")]
    NoBusybox,
    /// The program did not compile.
    #[error("the stand-in runner cannot be compiled: {0}")]
    Compile(String),
    /// The files of the image could not be put together.
    #[error("the files of the stand-in runner's image cannot be read")]
    Read(#[from] io::Error),
    /// The engine did not build it.
    #[error("the Docker engine cannot build the stand-in runner's image; is DOCKER_HOST right?")]
    Docker(#[from] bollard::errors::Error),
    /// The engine did not build it in time.
    #[error("the Docker engine did not build the stand-in runner's image within {BUILD:?}")]
    TooSlow,
}

/// What the image is made of.
#[derive(Clone, Debug)]
pub struct RunnerImage {
    program: PathBuf,
    busybox: PathBuf,
}

impl RunnerImage {
    /// Compiles the program, which takes a moment the first time, and finds a busybox. Cancel-safe: the compiler is
    /// ended, too.
    ///
    /// # Errors
    ///
    /// [`ImageError::Compile`], [`ImageError::NoBusybox`].
    pub async fn compile() -> Result<Self, ImageError> {
        let busybox = BUSYBOX.into_iter().map(PathBuf::from).find(|path| is_static(path));
        let busybox = busybox.ok_or(ImageError::NoBusybox)?;
        // A folder of its own: other flags would have everything else compiled anew.
        let targets = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from(TARGETS), PathBuf::from);
        let targets = targets.join("stand-in-runner");
        // One of its own: what a compiler that was ended has left there goes with it.
        let scratch = tempfile::tempdir()?;
        let cargo = Command::new("cargo")
            .args(["build", "--release", "--quiet", "--locked", "--manifest-path", MANIFEST])
            .args(["--no-default-features", "--bin", "devstack-runner", "--target", TRIPLE])
            .arg("--target-dir")
            .arg(&targets)
            .env("RUSTFLAGS", STATIC)
            .env("TMPDIR", scratch.path())
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .map_err(|error| ImageError::Compile(format!("cannot run cargo: {error}")))?;
        let group = Group(cargo.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
        let built = timeout(COMPILE, cargo.wait_with_output()).await;
        let built = built.map_err(|_| ImageError::Compile(format!("not within {COMPILE:?}")))??;
        group.has_ended();
        if !built.status.success() {
            return Err(ImageError::Compile(String::from_utf8_lossy(&built.stderr).into_owned()));
        }
        Ok(Self { program: targets.join(TRIPLE).join("release/devstack-runner"), busybox })
    }

    /// The program, which also runs outside of a container when it is called by the names that it has there.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The context of the image's build, as a tar archive.
    ///
    /// # Errors
    ///
    /// [`ImageError::Read`]
    pub fn context(&self) -> Result<Vec<u8>, ImageError> {
        let mut context = Builder::new(Vec::new());
        file(&mut context, "Dockerfile", DOCKERFILE, 0o644, 0)?;
        file(&mut context, "root.tar", &self.root()?, 0o644, 0)?;
        Ok(context.into_inner()?)
    }

    /// Builds the image on an engine and gives it this tag.
    ///
    /// # Errors
    ///
    /// [`ImageError::Docker`], [`ImageError::TooSlow`], [`ImageError::Read`].
    pub async fn build(&self, docker: &Docker, tag: &str) -> Result<(), ImageError> {
        let options = BuildImageOptionsBuilder::default().t(tag).rm(true).forcerm(true).build();
        let context = bollard::body_full(self.context()?.into());
        let build = docker.build_image(options, None, Some(context)).try_collect::<Vec<BuildInfo>>();
        timeout(BUILD, build).await.map_err(|_| ImageError::TooSlow)??;
        Ok(())
    }

    /// The image's file system.
    fn root(&self) -> io::Result<Vec<u8>> {
        let mut root = Builder::new(Vec::new());
        for folder in ["bin", "etc", "home", "usr"] {
            entry(&mut root, EntryType::Directory, folder, None, 0o755, 0)?;
        }
        entry(&mut root, EntryType::Directory, "tmp", None, 0o1777, 0)?;
        entry(&mut root, EntryType::Symlink, "usr/bin", Some("/bin"), 0o777, 0)?;
        file(&mut root, "bin/busybox", &std::fs::read(&self.busybox)?, 0o755, 0)?;
        for command in COMMANDS {
            entry(&mut root, EntryType::Symlink, &format!("bin/{command}"), Some("busybox"), 0o777, 0)?;
        }
        let passwd = format!("root:x:0:0:root:/:/bin/sh\nrunner:x:{RUNNER}:{RUNNER}::/home/runner:/bin/sh\n");
        file(&mut root, "etc/passwd", passwd.as_bytes(), 0o644, 0)?;
        file(&mut root, "etc/group", format!("root:x:0:\nrunner:x:{RUNNER}:\n").as_bytes(), 0o644, 0)?;
        file(&mut root, "etc/nsswitch.conf", b"hosts: files dns\n", 0o644, 0)?;
        for folder in ["home/runner", "home/runner/bin"] {
            entry(&mut root, EntryType::Directory, folder, None, 0o755, RUNNER)?;
        }
        file(&mut root, "home/runner/bin/Runner.Listener", &std::fs::read(&self.program)?, 0o755, RUNNER)?;
        for script in ["run.sh", "config.sh", "entrypoint"] {
            let name = format!("home/runner/{script}");
            entry(&mut root, EntryType::Symlink, &name, Some("bin/Runner.Listener"), 0o777, RUNNER)?;
        }
        root.into_inner()
    }
}

/// The processes of a compilation: ended when this is dropped.
struct Group(Option<Pid>);

impl Group {
    /// Its number may be another's from now on.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            kill_process_group(group, Signal::KILL).unwrap_or_default(); // it may have ended at this moment
        }
    }
}

fn file(tar: &mut Builder<Vec<u8>>, name: &str, content: &[u8], mode: u32, owner: u64) -> io::Result<()> {
    let mut header = header(EntryType::Regular, mode, owner);
    header.set_size(content.len().try_into().map_err(io::Error::other)?);
    tar.append_data(&mut header, name, content)
}

fn entry(
    tar: &mut Builder<Vec<u8>>,
    kind: EntryType,
    name: &str,
    link: Option<&str>,
    mode: u32,
    owner: u64,
) -> io::Result<()> {
    let mut header = header(kind, mode, owner);
    header.set_size(0);
    match link {
        Some(link) => tar.append_link(&mut header, name, link),
        None => tar.append_data(&mut header, name, io::empty()),
    }
}

fn header(kind: EntryType, mode: u32, owner: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(1); // the same files make the same image
    header
}

/// Whether a program names no loader: a busybox that does would find no libraries in the image.
fn is_static(path: &Path) -> bool {
    const LOADER: &[u8] = b"/ld-linux";
    const LOADER_FIELD: usize = 4096; // it stands near a program's beginning
    let Ok(program) = std::fs::read(path) else { return false };
    let beginning = &program[..program.len().min(LOADER_FIELD)];
    !beginning.windows(LOADER.len()).any(|window| window == LOADER)
}

/// Builds the stand-in runner's image on the engine that `DOCKER_HOST` names.
#[derive(Clone, Debug, clap::Args)]
pub struct ImageCommand {
    /// What to call it
    #[arg(long, default_value = TAG)]
    tag: String,
}

impl ImageCommand {
    /// Compiles what is in the image, and builds it.
    ///
    /// # Errors
    ///
    /// When it cannot be compiled, or there is no engine.
    pub async fn run(self) -> anyhow::Result<()> {
        let image = RunnerImage::compile().await?;
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        image.build(&docker, &self.tag).await?;
        tracing::info!(image = self.tag, "The stand-in runner's image is built");
        Ok(())
    }
}
