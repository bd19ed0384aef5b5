//! What stands beside a runner so that its jobs can use Docker, and what its container gets of that.

use std::{fs, os::unix::fs::MetadataExt as _};

use bollard::{
    Docker,
    errors::Error,
    models::VolumeCreateRequest,
    query_parameters::{RemoveContainerOptionsBuilder, RemoveVolumeOptions},
};
use shared::model::{DockerAccess, RunnerName};

use super::{
    DockerConfig,
    connect::{CHANGE_TIMEOUT, bounded},
};
use crate::{
    provider::ProviderError,
    runner::{RUNNER_HOME, RunnerSpec, label},
};

/// Where an engine listens, and where jobs look for one.
pub(super) const USUAL_SOCKET: &str = "/var/run/docker.sock";
/// The group that a daemon beside a runner gives its socket to: that of Docker in GitHub's image.
pub(super) const SOCKET_GROUP: &str = "123";
/// Where runner and daemon both have the daemon's socket.
pub(super) const SOCKET_FOLDER: &str = "/home/runner/.dockerd";
/// The folders in the runner's home that are its user's; volumes are root's.
const FOLDERS: [&str; 2] = ["_work", ".dockerd"];
/// The volumes of a runner with a daemon beside it, by the last part of their names, and where both have them. A job's container
/// gets what the runner has there, by the same path.
pub(super) const VOLUMES: [(&str, &str); 3] =
    [("work", "/home/runner/_work"), ("externals", "/home/runner/externals"), ("socket", SOCKET_FOLDER)];
/// The volume of a runner that uses the host's engine.
const HOME: &str = "home";

/// What a runner's container gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Beside {
    /// The network that it joins, or the container whose network it shares.
    pub(super) network: String,
    /// Where its runner is.
    pub(super) home: String,
    /// What is mounted into it.
    pub(super) binds: Vec<String>,
    /// Groups that its user joins.
    pub(super) groups: Vec<String>,
    /// Variables, each `NAME=VALUE`.
    pub(super) env: Vec<String>,
    /// Folders in its home that its user is given.
    pub(super) folders: &'static [&'static str],
}

impl Beside {
    /// Nothing but a network.
    pub(super) fn nothing(network: String) -> Self {
        let (binds, groups, env) = (Vec::new(), Vec::new(), Vec::new());
        Self { network, home: RUNNER_HOME.to_owned(), binds, groups, env, folders: &[] }
    }

    /// A daemon in the container of that name.
    pub(super) fn daemon(runner: &RunnerName) -> Self {
        Self {
            binds: VOLUMES.map(|(volume, path)| format!("{}:{path}", name(runner, volume))).into(),
            groups: vec![SOCKET_GROUP.to_owned()],
            env: vec![format!("DOCKER_HOST=unix://{SOCKET_FOLDER}/docker.sock")],
            folders: &FOLDERS,
            ..Self::nothing(format!("container:{}", daemon(runner)))
        }
    }

    /// The host's engine, with `home`, where the runner's volume is on the host: the runner has it, and is run, at the same path.
    fn host(network: String, runner: &RunnerName, home: String, socket: &str, group: Option<u32>) -> Self {
        Self {
            binds: vec![
                format!("{}:{RUNNER_HOME}", name(runner, HOME)), // has the image's files in it from then on
                format!("{home}:{home}"),
                format!("{socket}:{USUAL_SOCKET}"),
            ],
            groups: group.iter().map(u32::to_string).collect(),
            home,
            ..Self::nothing(network)
        }
    }
}

/// Makes the volume of a runner that uses the host's engine.
pub(super) async fn socket(
    client: &Docker,
    config: &DockerConfig,
    spec: &RunnerSpec,
    network: String,
    keeps_command: bool,
) -> Result<Beside, ProviderError> {
    if keeps_command {
        let problem = "with docker = \"socket\" the runner is run from a folder of its own, and the image's own command \
                       would not: use registration = \"jit\", or docker = \"dind\"";
        return Err(ProviderError::refused("create a container", problem));
    }
    let home = volume(client, spec, HOME).await?;
    let socket = config.host.as_str().strip_prefix("unix://").unwrap_or(USUAL_SOCKET);
    // The engine may be another machine's: then the pool has to say whose it is, by its user.
    let group = fs::metadata(socket).map(|socket| socket.gid()).ok();
    Ok(Beside::host(network, &spec.name, home, socket, group))
}

/// Makes a volume, unless it is there, and returns where it is on the engine's host.
pub(super) async fn volume(client: &Docker, spec: &RunnerSpec, part: &str) -> Result<String, ProviderError> {
    let request = VolumeCreateRequest {
        name: Some(name(&spec.name, part)),
        labels: Some(labels(spec).into()),
        ..VolumeCreateRequest::default()
    };
    Ok(bounded("make a runner's volume", CHANGE_TIMEOUT, client.create_volume(request)).await?.mountpoint)
}

/// The labels of everything that stands beside a runner.
pub(super) fn labels(spec: &RunnerSpec) -> [(String, String); 2] {
    [(label::BESIDE, spec.name.to_string()), (label::WORKER, spec.worker.to_string())]
        .map(|(name, value)| (name.to_owned(), value))
}

/// The container of the daemon beside a runner.
pub(super) fn daemon(runner: &RunnerName) -> String {
    name(runner, "docker")
}

/// Removes all that stands beside a runner whose container was not made.
pub(super) async fn remove(client: &Docker, runner: &RunnerName, access: DockerAccess) -> Result<(), ProviderError> {
    if access == DockerAccess::Dind {
        remove_daemon(client, &daemon(runner)).await?;
    }
    remove_volumes(client, runner, access).await
}

/// Removes a runner's daemon, which goes before the runner; one that is gone is no error.
pub(super) async fn remove_daemon(client: &Docker, container: &str) -> Result<(), ProviderError> {
    remove_container(client, container, "remove the Docker daemon beside a runner").await
}

/// Removes a container, even if it runs, with its anonymous volumes; one that is gone is no error.
pub(super) async fn remove_container(client: &Docker, container: &str, doing: &str) -> Result<(), ProviderError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match bounded(doing, CHANGE_TIMEOUT, client.remove_container(container, Some(options))).await {
        Err(ProviderError::Gone) => Ok(()),
        removed => removed,
    }
}

/// Removes a runner's volumes, which go after its containers.
pub(super) async fn remove_volumes(
    client: &Docker,
    runner: &RunnerName,
    access: DockerAccess,
) -> Result<(), ProviderError> {
    let parts: Vec<&str> = match access {
        DockerAccess::None => return Ok(()),
        DockerAccess::Socket => vec![HOME],
        DockerAccess::Dind => VOLUMES.map(|(volume, _)| volume).into(),
    };
    for part in parts {
        remove_volume(client, &name(runner, part)).await?;
    }
    Ok(())
}

/// Removes a volume, unless a container has it; one that is gone is no error.
pub(super) async fn remove_volume(client: &Docker, volume: &str) -> Result<(), ProviderError> {
    let removing = async {
        match client.remove_volume(volume, None::<RemoveVolumeOptions>).await {
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            removed => removed,
        }
    };
    bounded("remove a runner's volume", CHANGE_TIMEOUT, removing).await
}

fn name(runner: &RunnerName, part: &str) -> String {
    format!("{runner}.{part}")
}
