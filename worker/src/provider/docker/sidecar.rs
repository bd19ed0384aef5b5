//! The daemon that a runner's jobs have for themselves, in a container beside the runner's.

use std::{sync::Arc, time::Duration};

use bollard::{
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions},
};
use futures_util::TryStreamExt as _;
use shared::model::DockerOptions;
use tokio::time::timeout;

use super::{
    beside::{self, SOCKET_FOLDER, SOCKET_GROUP, USUAL_SOCKET, VOLUMES},
    connect::{CHANGE_TIMEOUT, Engine, bounded},
    container, logs,
};
use crate::{provider::ProviderError, runner::RunnerSpec};

/// How long a daemon may take until it answers.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// What every `dockerd` says when it answers, and where.
const READY: &str = "API listen on";
/// How many of its last lines are told of one that has ended.
const LAST_LINES: usize = 3;
/// Where a daemon has its images and containers: on the engine's own disk, for they cannot lie in a container.
const DATA: &str = "/var/lib/docker";
/// A daemon mounts, and writes to, what the engine forbids containers by default.
const UNCONFINED: [&str; 2] = ["seccomp=unconfined", "apparmor=unconfined"];

/// Variables of a pool that its daemon gets as well, in capitals: it pulls what jobs want.
const PROXIES: [&str; 4] = ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

const DOING: &str = "start the Docker daemon beside the runner";

/// Makes volumes and container of a runner's daemon, and does not start it: the volumes are not yet as they should be.
pub(super) async fn create(
    engine: &Engine,
    spec: &RunnerSpec,
    image: &str,
    network: String,
    cpus: f64,
) -> Result<(), ProviderError> {
    let client = engine.client().await?;
    for (volume, _) in VOLUMES {
        beside::volume(&client, spec, volume).await?;
    }
    let options = CreateContainerOptionsBuilder::new().name(&beside::daemon(&spec.name)).build();
    let creating = client.create_container(Some(options), body(spec, image, network, cpus));
    bounded("create the Docker daemon beside the runner", CHANGE_TIMEOUT, creating).await.map(drop)
}

/// Starts it, and waits until it answers.
pub(super) async fn start(engine: &Arc<Engine>, spec: &RunnerSpec) -> Result<(), ProviderError> {
    let (client, name) = (engine.client().await?, beside::daemon(&spec.name));
    let starting = client.start_container(&name, None::<StartContainerOptions>);
    bounded(DOING, CHANGE_TIMEOUT, starting).await.map_err(|error| explained(error, &spec.docker))?;
    let says = |line: &String| line.contains(READY) && line.contains(SOCKET_FOLDER);
    let ready = logs::follow(Arc::clone(engine), name.clone()).try_filter(|line| std::future::ready(says(line)));
    tokio::pin!(ready);
    match timeout(READY_TIMEOUT, ready.try_next()).await {
        Ok(Ok(Some(_))) => return Ok(()),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(None)) | Err(_) => {}
    }
    let last = logs::tail(engine, &name, LAST_LINES).await.unwrap_or_default().join(" | ");
    let problem = format!("it does not say that it answers; its last lines: {last}");
    Err(explained(ProviderError::refused(DOING, problem), &spec.docker))
}

fn body(spec: &RunnerSpec, image: &str, network: String, cpus: f64) -> ContainerCreateBody {
    let cmd = [
        "dockerd".to_owned(),
        format!("--host=unix://{SOCKET_FOLDER}/docker.sock"),
        format!("--host=unix://{USUAL_SOCKET}"), // which jobs' containers are given
        format!("--group={SOCKET_GROUP}"),
    ];
    let proxies = spec.env.iter().filter(|(name, _)| PROXIES.contains(&name.to_ascii_uppercase().as_str()));
    ContainerCreateBody {
        image: Some(image.to_owned()),
        env: Some(proxies.map(|(name, value)| format!("{name}={value}")).collect()),
        cmd: Some(cmd.into()),
        labels: Some(beside::labels(spec).into()),
        volumes: Some(vec![DATA.to_owned()]),
        host_config: Some(host_config(spec, network, cpus)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &RunnerSpec, network: String, cpus: f64) -> HostConfig {
    let docker = &spec.docker;
    // The image has nothing there: what the runner's image has is to come there.
    let mounts = Vec::from(VOLUMES).into_iter();
    let binds = mounts.map(|(part, path)| format!("{}.{part}:{path}:nocopy", spec.name)).collect();
    let mut config = HostConfig {
        network_mode: Some(network),
        binds: Some(binds),
        privileged: docker.is_daemon_privileged().then_some(true),
        ..container::bounds(docker, cpus)
    };
    if !docker.dind_cap_add.is_empty() {
        config.cap_add = Some(docker.dind_cap_add.clone());
        config.security_opt = Some(UNCONFINED.map(str::to_owned).into());
        config.masked_paths = Some(Vec::new());
        config.readonly_paths = Some(Vec::new());
    }
    config
}

/// Names the options that a daemon's start depends on.
fn explained(error: ProviderError, docker: &DockerOptions) -> ProviderError {
    let ProviderError::Refused { doing, message } = error else { return error };
    let options = match (docker.is_daemon_privileged(), &docker.runtime) {
        (true, _) => "dind_privileged, which is true, and dind_image",
        (false, Some(_)) => "runtime, dind_privileged, dind_cap_add and dind_image",
        (false, None) => "dind_privileged, dind_cap_add and dind_image",
    };
    ProviderError::Refused { doing, message: format!("{message} (check {options} in [pool.docker])") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_daemon_names_the_options_that_it_was_made_with() {
        let explain = |docker: &DockerOptions| explained(ProviderError::refused("start", "no"), docker).to_string();
        let privileged = DockerOptions { dind_privileged: Some(true), ..DockerOptions::default() };
        assert!(
            explain(&privileged)
                .ends_with("no (check dind_privileged, which is true, and dind_image in [pool.docker])")
        );
        let sandboxed = DockerOptions { runtime: Some("sysbox-runc".to_owned()), ..DockerOptions::default() };
        assert!(explain(&sandboxed).contains("check runtime, "), "{}", explain(&sandboxed));
        let named = DockerOptions { dind_cap_add: vec!["SYS_ADMIN".to_owned()], ..DockerOptions::default() };
        assert!(explain(&named).contains("check dind_privileged, dind_cap_add and"), "{}", explain(&named));
    }
}
