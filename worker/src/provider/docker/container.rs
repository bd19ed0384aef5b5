//! The container of a runner, as it is asked for.

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum};
use shared::model::{Bytes, DockerOptions};

use super::beside::Beside;
use crate::runner::{Command, RunnerSpec};

/// How many processes a runner may have at once, unless its pool says otherwise.
const PIDS_DEFAULT: u32 = 4096;
/// How much memory it may use, unless its pool says otherwise.
const MEMORY_DEFAULT: Bytes = Bytes(8 << 30);
/// How many processors' worth of time it may use, unless its pool says otherwise or the engine has fewer.
const CPUS_DEFAULT: f64 = 4.0;
/// How long a container that is to stop may take, where nobody says otherwise: the runner then cancels its job in an
/// orderly way.
const STOP_SECONDS: i64 = 90;
/// How large a container's log may grow, and in how many files.
const LOG_LIMITS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "2")];
/// What `sudo` (to become another user, and to end what it started), `apt` and `dpkg` (to install files of other users, with
/// capabilities of their own) need. Docker's own default has besides what no job should: raw packets, devices, other roots.
const SUDO_CAPABILITIES: [&str; 9] =
    ["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID"];

/// The container of `spec`, which runs `command`, with what it gets of what stands beside it, on an engine of so many processors.
pub(super) fn body(spec: &RunnerSpec, command: Command, beside: &Beside, cpus: f64) -> ContainerCreateBody {
    let env = spec.environment().into_iter().map(|(name, value)| format!("{name}={value}"));
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: command.entrypoint,
        cmd: command.cmd,
        env: Some(env.chain(beside.env.iter().cloned()).collect()),
        labels: Some(spec.container_labels().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        user: spec.docker.user.clone(),
        stop_timeout: Some(STOP_SECONDS),
        host_config: Some(host_config(&spec.docker, beside, cpus)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(docker: &DockerOptions, beside: &Beside, cpus: f64) -> HostConfig {
    HostConfig {
        security_opt: Some(security_options(docker)),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: some(capabilities(docker)),
        network_mode: Some(beside.network.clone()),
        binds: some([docker.volumes.as_slice(), &beside.binds].concat()),
        group_add: some(beside.groups.clone()),
        ..bounds(docker, cpus)
    }
}

/// What keeps a container from taking more than its share, for one that is made for a runner.
pub(super) fn bounds(docker: &DockerOptions, cpus: f64) -> HostConfig {
    let memory = docker.memory.unwrap_or(MEMORY_DEFAULT).0;
    let log_options = LOG_LIMITS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    HostConfig {
        init: Some(true),         // reaps what the job's steps leave behind, and passes on the signal to stop
        auto_remove: Some(false), // the exit code and the last lines are read first
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO), // a runner takes one job
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(log_options.into()) }),
        pids_limit: Some(docker.pids.unwrap_or(PIDS_DEFAULT).into()),
        memory: Some(memory),
        memory_swap: Some(memory), // no swap besides
        nano_cpus: Some(nano_cpus(docker.cpus.unwrap_or(CPUS_DEFAULT.min(cpus)))),
        runtime: docker.runtime.clone(),
        ..HostConfig::default()
    }
}

/// The restrictions of the container. `no-new-privileges` forbids `sudo`.
fn security_options(docker: &DockerOptions) -> Vec<String> {
    if docker.sudo { Vec::new() } else { vec!["no-new-privileges".to_owned()] }
}

fn capabilities(docker: &DockerOptions) -> Vec<String> {
    let sudo: &[&str] = if docker.sudo { &SUDO_CAPABILITIES } else { &[] };
    sudo.iter().map(ToString::to_string).chain(docker.cap_add.iter().cloned()).collect()
}

fn nano_cpus(cpus: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit is more than any engine has: it says so")]
    let nano = (cpus * 1e9).round() as i64;
    nano
}

fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(docker: &DockerOptions) -> HostConfig {
        host_config(docker, &Beside::nothing("net".to_owned()), 2.0)
    }

    #[test]
    fn a_container_is_bounded_even_if_its_pool_says_nothing() {
        let config = config(&DockerOptions::default());
        assert_eq!(config.init, Some(true));
        assert_eq!(config.auto_remove, Some(false));
        assert_eq!(config.restart_policy.unwrap().name, Some(RestartPolicyNameEnum::NO));
        assert_eq!(config.security_opt.unwrap(), ["no-new-privileges"]);
        assert_eq!((config.cap_drop.unwrap(), config.cap_add), (vec!["ALL".to_owned()], None));
        assert_eq!(config.pids_limit, Some(4096));
        assert_eq!((config.memory, config.memory_swap), (Some(8 << 30), Some(8 << 30)));
        assert_eq!(config.nano_cpus, Some(2_000_000_000), "the engine has two");
        assert_eq!(
            host_config(&DockerOptions::default(), &Beside::nothing(String::new()), 64.0).nano_cpus,
            Some(4_000_000_000)
        );
        let log = config.log_config.unwrap();
        assert_eq!(log.typ.as_deref(), Some("json-file"));
        assert_eq!(log.config.unwrap()["max-size"], "10m");
        assert_eq!((config.binds, config.group_add, config.privileged), (None, None, None));
        assert_eq!(config.network_mode.as_deref(), Some("net"));
    }

    #[test]
    fn a_pools_options_are_the_containers() {
        let config = config(&DockerOptions {
            cpus: Some(1.5),
            memory: Some(Bytes(4 << 30)),
            pids: Some(100),
            runtime: Some("runsc".to_owned()),
            volumes: vec!["cache:/cache:ro".to_owned()],
            cap_add: vec!["NET_ADMIN".to_owned()],
            ..DockerOptions::default()
        });
        assert_eq!(config.nano_cpus, Some(1_500_000_000));
        assert_eq!((config.memory, config.memory_swap), (Some(4 << 30), Some(4 << 30)));
        assert_eq!(config.pids_limit, Some(100));
        assert_eq!(config.runtime.as_deref(), Some("runsc"));
        assert_eq!(config.binds.unwrap(), ["cache:/cache:ro"]);
        assert_eq!(config.cap_add.unwrap(), ["NET_ADMIN"]);
    }

    #[test]
    fn a_pool_with_sudo_gets_what_that_needs_and_what_it_names_besides() {
        let sudo = DockerOptions { sudo: true, cap_add: vec!["NET_RAW".to_owned()], ..DockerOptions::default() };
        let config = config(&sudo);
        assert_eq!(config.security_opt.unwrap(), Vec::<String>::new());
        let added = config.cap_add.unwrap();
        assert!(added.len() == 10 && added.contains(&"SETUID".to_owned()) && added.contains(&"NET_RAW".to_owned()));
    }
}
