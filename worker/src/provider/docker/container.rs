//! The container of a runner, as it is asked for.

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum};
use shared::model::DockerOptions;

use super::image::ImageFacts;
use crate::runner::RunnerSpec;

/// How many processes a runner may have at once, unless its pool says otherwise.
const PIDS_DEFAULT: u32 = 4096;
/// How long a container that is to stop may take, where nobody says otherwise: the runner then cancels its job in an
/// orderly way.
const STOP_SECONDS: i64 = 90;
/// How large a container's log may grow, and in how many files.
const LOG_LIMITS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "2")];

/// The container of `spec`, made from `image`.
pub(super) fn body(spec: &RunnerSpec, image: &ImageFacts) -> ContainerCreateBody {
    let command = spec.command(&image.entrypoint, &image.cmd);
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: command.entrypoint,
        cmd: command.cmd,
        env: Some(spec.environment().into_iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(spec.container_labels().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        user: spec.docker.user.clone(),
        stop_timeout: Some(STOP_SECONDS),
        host_config: Some(host_config(&spec.docker)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(docker: &DockerOptions) -> HostConfig {
    let memory = docker.memory.map(|memory| memory.0);
    let log_options = LOG_LIMITS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    HostConfig {
        init: Some(true),         // reaps what the job's steps leave behind, and passes on the signal to stop
        auto_remove: Some(false), // the exit code and the last lines are read first
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO), // a runner takes one job
            maximum_retry_count: None,
        }),
        security_opt: Some(security_options(docker)),
        log_config: Some(HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(log_options.into()) }),
        pids_limit: Some(docker.pids.unwrap_or(PIDS_DEFAULT).into()),
        memory,
        memory_swap: memory, // no swap besides
        nano_cpus: docker.cpus.map(nano_cpus),
        network_mode: docker.network.clone(),
        runtime: docker.runtime.clone(),
        binds: some(&docker.volumes),
        cap_add: some(&docker.cap_add),
        ..HostConfig::default()
    }
}

/// The restrictions of the container. `no-new-privileges` forbids `sudo`: a pool that wants it is to be heeded here.
fn security_options(_: &DockerOptions) -> Vec<String> {
    vec!["no-new-privileges".to_owned()]
}

fn nano_cpus(cpus: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit is more than any engine has: it says so")]
    let nano = (cpus * 1e9).round() as i64;
    nano
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

#[cfg(test)]
mod tests {
    use shared::model::Bytes;

    use super::*;

    #[test]
    fn a_container_is_bounded_even_if_its_pool_says_nothing() {
        let config = host_config(&DockerOptions::default());
        assert_eq!(config.init, Some(true));
        assert_eq!(config.auto_remove, Some(false));
        assert_eq!(config.restart_policy.unwrap().name, Some(RestartPolicyNameEnum::NO));
        assert_eq!(config.security_opt.unwrap(), ["no-new-privileges"]);
        assert_eq!(config.pids_limit, Some(4096));
        let log = config.log_config.unwrap();
        assert_eq!(log.typ.as_deref(), Some("json-file"));
        assert_eq!(log.config.unwrap()["max-size"], "10m");
        assert_eq!((config.memory, config.nano_cpus, config.binds, config.privileged), (None, None, None, None));
    }

    #[test]
    fn a_pools_options_are_the_containers() {
        let config = host_config(&DockerOptions {
            cpus: Some(1.5),
            memory: Some(Bytes(4 << 30)),
            pids: Some(100),
            network: Some("ci".to_owned()),
            runtime: Some("runsc".to_owned()),
            volumes: vec!["cache:/cache:ro".to_owned()],
            cap_add: vec!["NET_ADMIN".to_owned()],
            ..DockerOptions::default()
        });
        assert_eq!(config.nano_cpus, Some(1_500_000_000));
        assert_eq!((config.memory, config.memory_swap), (Some(4 << 30), Some(4 << 30)));
        assert_eq!(config.pids_limit, Some(100));
        assert_eq!((config.network_mode.as_deref(), config.runtime.as_deref()), (Some("ci"), Some("runsc")));
        assert_eq!(config.binds.unwrap(), ["cache:/cache:ro"]);
        assert_eq!(config.cap_add.unwrap(), ["NET_ADMIN"]);
    }
}
