//! What a runner cannot do, seen from inside.

use std::time::Duration;

use bollard::query_parameters::{InspectContainerOptions, TopOptions};
use devstack::harness::{Engine, EngineOptions};
use shared::model::Bytes;
use tokio::time::timeout;
use worker::{provider::Provider, runner::RunnerSpec};

use super::{
    images,
    world::{World, docker, own},
};

const PATIENCE: Duration = Duration::from_mins(1);
/// The bits of what `sudo = true` gives, by the kernel's numbers: `AUDIT_WRITE`, `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `FSETID`,
/// `KILL`, `SETFCAP`, `SETGID` and `SETUID`.
const SUDO: u64 = 1 << 29 | 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 31 | 1 << 6 | 1 << 7;

/// What a runner prints.
async fn printed<P: Provider>(world: &World<P>, spec: &RunnerSpec) -> Vec<String> {
    let runner = world.started(spec).await;
    timeout(PATIENCE, world.provider.wait(&runner)).await.unwrap().unwrap();
    world.provider.tail(&runner, 100).await.unwrap()
}

/// The value of a line of `/proc/self/status`.
fn status<'a>(lines: &'a [String], name: &str) -> &'a str {
    lines
        .iter()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("{lines:?}"))
        .trim()
}

fn capabilities(lines: &[String], set: &str) -> u64 {
    u64::from_str_radix(status(lines, set), 16).unwrap()
}

#[tokio::test]
async fn a_runner_has_no_capabilities_and_cannot_gain_any() {
    let world = docker().await;
    for user in [None, Some("root")] {
        let mut spec = world.spec("cat /proc/self/status");
        spec.docker.user = user.map(str::to_owned);
        let lines = printed(&world, &spec).await;
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(capabilities(&lines, set), 0, "{user:?}: {set}");
        }
        assert_eq!(status(&lines, "NoNewPrivs"), "1");
        assert_eq!(status(&lines, "Seccomp"), "2"); // the engine's filter
    }
}

#[tokio::test]
async fn a_pool_with_sudo_has_what_that_needs_and_no_more() {
    let world = docker().await;
    let mut spec = world.spec("cat /proc/self/status");
    spec.docker.sudo = true;
    let lines = printed(&world, &spec).await;
    assert_eq!((capabilities(&lines, "CapEff"), capabilities(&lines, "CapBnd")), (0, SUDO)); // no root yet, but may be
    assert_eq!(status(&lines, "NoNewPrivs"), "0");
    spec = world.spec("cat /proc/self/status");
    spec.docker.cap_add = vec!["NET_RAW".to_owned()];
    let lines = printed(&world, &spec).await;
    assert_eq!((capabilities(&lines, "CapBnd"), status(&lines, "NoNewPrivs")), (1 << 13, "1"));
}

#[tokio::test]
async fn a_runner_is_bounded_in_memory_processors_and_processes() {
    let world = docker().await;
    // The names of cgroup v1, and then those of v2.
    let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max; cat cpu/cpu.cfs_quota_us cpu.max; \
                  cat pids/pids.max pids.max";
    let mut spec = world.spec(&format!("({script}) 2>/dev/null"));
    let lines = printed(&world, &spec).await;
    assert_eq!(lines[0], (8_u64 << 30).to_string(), "{lines:?}");
    assert_ne!(lines[1].split(' ').next().unwrap(), "max", "{lines:?}");
    assert!(lines[1].split(' ').next().unwrap().parse::<i64>().unwrap() > 0, "{lines:?}");
    assert_eq!(lines[2], "4096", "{lines:?}");

    spec = world.spec(&spec.env["SCRIPT"].clone());
    (spec.docker.memory, spec.docker.cpus, spec.docker.pids) = (Some(Bytes(64 << 20)), Some(0.5), Some(50));
    let lines = printed(&world, &spec).await;
    assert_eq!((lines[0].as_str(), lines[1].split(' ').next(), lines[2].as_str()), ("67108864", Some("50000"), "50"));
}

#[tokio::test]
async fn nothing_outside_of_a_runner_shows_its_credentials() {
    let world = docker().await;
    images::get_ready(false).await;
    let mut spec = world.with_daemon("sleep 60");
    spec.env.insert("HTTPS_PROXY".to_owned(), "http://proxy:3128".to_owned());
    let runner = world.started(&spec).await;
    let (client, daemon) = (world.client(), format!("{}.docker", spec.name));
    for container in [&runner.id, &daemon] {
        let inspected = client.inspect_container(container, None::<InspectContainerOptions>).await.unwrap();
        let processes = client.top_processes(container, None::<TopOptions>).await.unwrap();
        let seen = serde_json::to_string(&(inspected, processes)).unwrap();
        assert!(seen.contains("run.sh") || seen.contains("dockerd"), "{seen}");
        assert!(seen.contains("HTTPS_PROXY=http://proxy:3128"), "{seen}");
        for secret in ["hush-hush", "aHVzaC1odXNo", "eyIu"] {
            assert!(!seen.contains(secret), "{container}: {seen}");
        }
    }
    let daemon = client.inspect_container(&daemon, None::<InspectContainerOptions>).await.unwrap();
    let variables = daemon.config.unwrap().env.unwrap();
    assert!(!variables.iter().any(|variable| variable.starts_with("SCRIPT=")), "{variables:?}");
}

/// Whether one runner gets an answer of another that listens.
async fn reaches(world: &World<impl Provider>, network: Option<&str>) -> bool {
    let mut listener = world.spec("echo hello | nc -l -p 7777");
    let mut caller = world.spec("");
    for spec in [&mut listener, &mut caller] {
        spec.docker.network = network.map(str::to_owned);
    }
    let runner = world.started(&listener).await;
    let inspected = world.client().inspect_container(&runner.id, None::<InspectContainerOptions>).await.unwrap();
    let networks = inspected.network_settings.unwrap().networks.unwrap();
    let address = networks.into_values().find_map(|network| network.ip_address).unwrap();
    let script = format!("sleep 1; nc -w 3 {address} 7777 </dev/null");
    caller.env.insert("SCRIPT".to_owned(), script);
    let lines = printed(world, &caller).await;
    lines.contains(&"hello".to_owned())
}

#[tokio::test]
async fn runners_do_not_reach_each_other_unless_their_pool_has_a_network_in_which_they_do() {
    // With a packet filter: the engine of the other tests has none.
    let engine = Engine::start(EngineOptions { bridge: true }).await.unwrap();
    let world = own(&engine).await;
    assert!(reaches(&world, Some("bridge")).await, "the test itself is wrong: in the engine's default network they do");
    assert!(!reaches(&world, None).await);
    drop(world);
}
