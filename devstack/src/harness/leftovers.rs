//! What an engine may leave behind, and how it goes. Nothing here fails: it is the last thing that happens to an
//! engine, and does what can be done.

use std::{collections::BTreeSet, fs, path::Path, thread, time::Duration};

use bollard::{
    Docker,
    query_parameters::{ListContainersOptions, RemoveContainerOptions},
};
use rustix::{
    mount::{UnmountFlags, unmount as unmount_one},
    process::{Pid, Signal, kill_process},
};
use tokio::time::timeout;

use super::engine::connect;

/// How long an engine may take to remove its containers and networks.
const EMPTY: Duration = Duration::from_secs(30);

/// How many times processes are looked for: one that is being killed may just have started another.
const ROUNDS: u32 = 10;

/// Between those looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Networks that an engine makes for itself, and does not remove.
const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];

/// Drives a future to its end, from a `drop`: that may run on a thread which already drives a runtime, and cannot drive
/// another. Blocks.
pub(super) fn block_on<F>(future: F) -> Option<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let driver = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(future))
    });
    driver.join().ok()?.ok()
}

/// Removes all containers and networks of the engine at `host`: an engine that stops would leave the networks'
/// interfaces on the machine.
pub(super) async fn empty(host: String) {
    let all = async {
        if let Ok(docker) = connect(&host).await {
            remove_all(&docker).await;
        }
    };
    timeout(EMPTY, all).await.unwrap_or_default();
}

async fn remove_all(docker: &Docker) {
    let everything = ListContainersOptions { all: true, ..Default::default() };
    for container in docker.list_containers(Some(everything)).await.unwrap_or_default() {
        let force = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        docker.remove_container(&container.id.unwrap_or_default(), Some(force)).await.unwrap_or_default();
    }
    for network in docker.list_networks(None).await.unwrap_or_default() {
        let name = network.name.unwrap_or_default();
        if !BUILT_IN.contains(&name.as_str()) {
            docker.remove_network(&network.id.unwrap_or_default()).await.unwrap_or_default();
        }
    }
}

/// Ends the processes of all containers of the engine in `folder`. Their shims stay, to tell the engine.
pub(super) fn end_containers(folder: &Path) {
    end(|| descendants(&shims(folder)));
}

/// Ends containerd's shims for the engine in `folder`, and all that they started.
pub(super) fn end_processes(folder: &Path) {
    end(|| {
        let shims = shims(folder);
        descendants(&shims).union(&shims).copied().collect()
    });
}

fn end(processes: impl Fn() -> BTreeSet<i32>) {
    for _ in 0..ROUNDS {
        let pids = processes();
        if pids.is_empty() {
            return;
        }
        for pid in pids.into_iter().filter_map(Pid::from_raw) {
            kill_process(pid, Signal::KILL).unwrap_or_default();
        }
        thread::sleep(PAUSE);
    }
}

fn shims(folder: &Path) -> BTreeSet<i32> {
    processes().filter(|pid| is_shim(*pid, folder)).collect()
}

fn descendants(ancestors: &BTreeSet<i32>) -> BTreeSet<i32> {
    let parents: Vec<(i32, i32)> = processes().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = BTreeSet::new();
    loop {
        let known = |pid: &i32| found.contains(pid) || ancestors.contains(pid);
        let children = parents.iter().filter(|(pid, parent)| known(parent) && !known(pid));
        let children: Vec<i32> = children.map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            return found;
        }
        found.extend(children);
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn is_shim(pid: i32, folder: &Path) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command);
    let program = command.split('\0').next().and_then(|program| program.rsplit('/').next());
    program.is_some_and(|program| program.starts_with("containerd-shim"))
        && command.contains(&folder.display().to_string())
}

/// The fourth field of `stat`; the second, a name in parentheses, may hold anything.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(1)?.parse().ok()
}

/// Unmounts everything in `folder`, the innermost first, so that it can be removed.
pub(super) fn unmount(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    let mut ours: Vec<&Path> = points.filter(|point| point.starts_with(folder)).collect();
    ours.reverse(); // later mounts lie upon earlier ones
    for point in ours {
        unmount_one(point, UnmountFlags::DETACH).unwrap_or_default();
    }
}
