//! Images that are made of this machine's programs: a Docker daemon, and a runner's with Docker's client.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use shared::model::PullPolicy;
use tokio::sync::OnceCell;
use worker::provider::Provider as _;

use super::world::{IMAGE, builder_of, config};

/// A runner's image with Docker's client, and something in its `externals`.
pub(crate) const CLIENT: &str = "autoscaler-test/client:1";
/// An image that takes the same command as `docker:dind`.
pub(crate) const DAEMON: &str = "autoscaler-test/daemon:1";
/// What a daemon needs in place of being privileged: the machine of the tests may not be able to give all capabilities.
pub(crate) const DAEMON_CAPABILITIES: [&str; 3] = ["SYS_ADMIN", "NET_ADMIN", "NET_RAW"];

/// Mounts what a container that is not privileged has for reading only, and then becomes its command.
const ENTRYPOINT: &str = include_str!("daemon-entrypoint");
const PROGRAMS: [&str; 7] = [
    "/usr/sbin/dockerd",
    "/usr/bin/docker-init",
    "/usr/bin/containerd",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/sbin/runc",
    "/usr/sbin/xtables-nft-multi",
    "/usr/bin/ip",
];
/// What busybox stands in for.
const TOOLS: [&str; 16] = [
    "cat", "cut", "dd", "dirname", "grep", "id", "ls", "mkdir", "mount", "nc", "sh", "sleep", "stat", "tar", "touch",
    "wget",
];

static BUILT: OnceCell<()> = OnceCell::const_new();

/// Builds the images, unless a stand-in has them.
pub(crate) async fn get_ready(stand_in: bool) {
    if !stand_in {
        BUILT.get_or_init(build).await;
    }
}

async fn build() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for folder in ["bin", "tmp", "var/run", "usr/sbin", "usr/bin"] {
        fs::create_dir_all(path("daemon").join(folder)).unwrap();
    }
    put_busybox(&path("daemon/bin"));
    for program in PROGRAMS {
        put(&path("daemon"), program);
    }
    for name in ["iptables", "ip6tables", "iptables-save", "iptables-restore"] {
        symlink("xtables-nft-multi", path("daemon/usr/sbin").join(name)).unwrap();
    }
    copy_extensions(&path("daemon"));
    fs::write(path("daemon/entrypoint"), ENTRYPOINT).unwrap();
    fs::set_permissions(path("daemon/entrypoint"), fs::Permissions::from_mode(0o755)).unwrap();
    let dockerfile = "FROM scratch\nCOPY daemon/ /\nENV PATH=/usr/sbin:/usr/bin:/bin\nENTRYPOINT [\"/entrypoint\"]\n";
    fs::write(path("Dockerfile"), dockerfile).unwrap();
    builder_of(config(), directory.path(), DAEMON)
        .prepare(DAEMON, PullPolicy::Never)
        .await
        .expect("the daemon's image");

    fs::create_dir_all(path("externals")).unwrap();
    fs::write(path("externals/node"), "of the image\n").unwrap();
    put(&path("client"), "/usr/bin/docker");
    let dockerfile = format!(
        "FROM {IMAGE}\nUSER root\nCOPY client/ /\nCOPY --chown=1001:123 externals /home/runner/externals\n\
         ENV PATH=/usr/bin:/bin\nUSER runner\n"
    );
    fs::write(path("Dockerfile"), dockerfile).unwrap();
    builder_of(config(), directory.path(), CLIENT)
        .prepare(CLIENT, PullPolicy::Never)
        .await
        .expect("the client's image");
}

/// Puts busybox, and what it stands in for, into a folder.
pub(crate) fn put_busybox(folder: &Path) {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let busybox = busybox.expect("these tests need busybox: apt-get install busybox-static");
    fs::copy(busybox, folder.join("busybox")).unwrap();
    for tool in TOOLS {
        symlink("busybox", folder.join(tool)).unwrap();
    }
}

/// Copies a program of this machine, and the libraries that it names, to the same paths under `root`.
fn put(root: &Path, program: &str) {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap(); // nothing of one that names none
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
    for file in libraries.chain([program]) {
        let place = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, &place).unwrap_or_else(|error| panic!("{file}: {error}: apt-get install docker.io iptables"));
    }
}

/// What iptables loads by name.
fn copy_extensions(root: &Path) {
    let listed = Command::new("sh").args(["-c", "ls -d /usr/lib/*/xtables"]).output().unwrap();
    let folder = String::from_utf8(listed.stdout).unwrap().trim().to_owned();
    let place = root.join(folder.trim_start_matches('/'));
    fs::create_dir_all(&place).unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), place.join(entry.file_name())).unwrap();
    }
}
