//! The harness keeps its promises: what it starts works as the real thing, and nothing is left of it.

#![allow(clippy::unwrap_used)] // the lint spares test functions only

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use bollard::{
    models::{ContainerCreateBody, HostConfig, NetworkCreateRequest},
    query_parameters::{CreateContainerOptions, CreateImageOptions, InspectContainerOptions, StartContainerOptions},
};
use devstack::harness::{Engine, EngineOptions, HarnessError, Loss, Process, ProcessSpec, RedisServer, Signal};
use futures_util::TryStreamExt as _;
use time::OffsetDateTime;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_redis_server_keeps_its_data_over_a_kill_and_a_restart_on_the_same_port() {
    let mut redis = RedisServer::start().await.unwrap();
    let port = redis.port();
    assert_eq!(redis.command("SET job 1").unwrap(), "+OK");
    redis.kill();
    assert!(redis.command("PING").is_err());
    redis.restart().await.unwrap();
    assert_eq!(redis.port(), port);
    assert_eq!(redis.command("EXISTS job").unwrap(), ":1");
    redis.restart().await.unwrap();
    redis.flush().unwrap();
    assert_eq!(redis.command("DBSIZE").unwrap(), ":0");
}

#[tokio::test]
async fn a_frozen_redis_server_answers_nothing_until_it_is_thawed() {
    let mut redis = RedisServer::start_with(["--maxmemory", "64mb"]).await.unwrap();
    redis.freeze().unwrap();
    assert!(redis.command("PING").is_err());
    redis.thaw().unwrap();
    assert_eq!(redis.command("PING").unwrap(), "+PONG");
    redis.freeze().unwrap();
    drop(redis); // must not hang
}

#[tokio::test]
async fn a_redis_server_may_have_a_clock_of_its_own_that_is_set_while_it_runs() {
    let mut redis = RedisServer::start_with_clock::<&str>([]).await.unwrap();
    let ahead = |redis: &RedisServer| {
        let time = redis.text("EVAL \"return redis.call('TIME')[1]\" 0").unwrap();
        time.parse::<i64>().unwrap() - OffsetDateTime::now_utc().unix_timestamp()
    };
    for seconds in [0, 60, -60] {
        redis.set_clock(seconds).unwrap();
        assert!((ahead(&redis) - seconds).abs() <= 1, "{} instead of {seconds} s ahead", ahead(&redis));
    }
    redis.restart().await.unwrap();
    assert!(ahead(&redis) < -50, "it keeps its clock");
    assert!(RedisServer::start().await.unwrap().set_clock(60).is_err(), "this one has the machine's");
}

#[tokio::test]
async fn packets_are_lost_either_way_until_the_loss_is_over() {
    let redis = RedisServer::start().await.unwrap();
    for lose in [Loss::of_requests, Loss::of_answers] {
        let loss = lose(redis.port()).unwrap();
        assert!(redis.command("PING").is_err(), "{loss:?}");
        drop(loss);
        assert_eq!(redis.command("PING").unwrap(), "+PONG");
    }
}

#[tokio::test]
async fn a_redis_server_that_cannot_start_says_why() {
    let error = RedisServer::start_with(["--no-such-setting", "1"]).await.unwrap_err().to_string();
    assert!(error.contains("no-such-setting"), "{error}");
}

#[tokio::test]
async fn nothing_is_left_of_a_redis_server_that_was_dropped() {
    let redis = RedisServer::start().await.unwrap();
    let process = format!("/proc/{}", redis.pid());
    let folder = std::fs::read_link(format!("{process}/cwd")).unwrap();
    drop(redis);
    assert!(!Path::new(&process).exists());
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_process_is_given_only_the_environment_that_was_asked_for_and_its_lines_are_kept() {
    let spec = ProcessSpec::new("/bin/sh").arg("-c").arg("env; echo done >&2; exec sleep 60").env("ONE", "1");
    let mut process = Process::start(&spec).unwrap();
    process.wait_for_line("done", SOON).await.unwrap();
    process.wait_for_line("ONE=1", SOON).await.unwrap();
    assert!(!process.lines().iter().any(|line| line.starts_with("HOME=")), "{:?}", process.lines());
    process.signal(Signal::TERM).unwrap();
    assert!(!process.wait(SOON).await.unwrap().success());
}

#[tokio::test]
async fn a_wait_for_a_line_ends_with_the_process_and_shows_what_it_said() {
    let spec = ProcessSpec::new("/bin/sh").arg("-c").arg("echo it is broken; exit 3");
    let error = Process::start(&spec).unwrap().wait_for_line("ready", Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(error, HarnessError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("it is broken"), "{error}");
}

#[tokio::test]
async fn an_engine_survives_a_kill_and_a_restart() {
    let mut engine = Engine::start(EngineOptions::default()).await.unwrap();
    let other = Engine::start(EngineOptions::default()).await.unwrap();
    assert_ne!(engine.host(), other.host());

    engine.kill().unwrap();
    assert!(engine.client().await.is_err());
    other.client().await.unwrap();
    engine.restart().await.unwrap();
    engine.stop().await.unwrap();
    assert!(engine.client().await.is_err());
    engine.restart().await.unwrap();
    engine.client().await.unwrap();
}

#[tokio::test]
async fn a_private_engine_leaves_the_machines_network_as_it_is() {
    let before = network();
    let mut engine = Engine::start(EngineOptions::default()).await.unwrap();
    assert!(before.is_subset(&network()));
    engine.restart().await.unwrap();
    assert!(before.is_subset(&network()));
    drop(engine);
    assert!(before.is_subset(&network()));
}

/// The machine's interfaces, but for those of other tests, and its packet filter.
fn network() -> BTreeSet<String> {
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap().flatten();
    let names = interfaces.filter_map(|interface| interface.file_name().into_string().ok());
    let rules = Command::new("/usr/sbin/iptables-save").output().unwrap().stdout;
    let rules = String::from_utf8(rules).unwrap();
    let rules = rules.lines().filter(|line| line.starts_with("-A ")).map(str::to_owned);
    names.filter(|name| !["engine", "br-", "veth"].iter().any(|other| name.starts_with(other))).chain(rules).collect()
}

#[tokio::test]
async fn nothing_is_left_of_an_engine_that_was_dropped_with_a_container_running() {
    leaves_nothing(async |_| {}).await;
}

#[tokio::test]
async fn nothing_is_left_of_an_engine_that_was_killed_with_a_container_running() {
    leaves_nothing(async |engine| engine.kill().unwrap()).await;
}

async fn leaves_nothing(what: impl AsyncFn(&mut Engine)) {
    let mut engine = Engine::start(EngineOptions::default()).await.unwrap();
    let socket = engine.host().strip_prefix("unix://").unwrap().to_owned();
    let folder = Path::new(&socket).parent().unwrap().to_owned();
    let (container, bridge) = sleeper(&engine).await;
    // The engine says that it is started a moment before it is the command that it was told to be.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !processes_with("sleep-for-the-harness").contains(&container) {
        assert!(Instant::now() < deadline, "the container does not run");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bridge.exists());
    what(&mut engine).await;

    drop(engine);

    assert!(!folder.exists());
    let name = folder.to_str().unwrap();
    assert!(!std::fs::read_to_string("/proc/self/mounts").unwrap().contains(name));
    assert!(processes_with(name).is_empty());
    assert!(!Path::new(&format!("/proc/{container}")).exists());
    assert!(!bridge.exists());
}

/// A running container in a network of its own: its process, and the network's interface.
async fn sleeper(engine: &Engine) -> (i64, PathBuf) {
    let docker = engine.client().await.unwrap();
    let mut image = tar::Builder::new(Vec::new());
    image.append_path_with_name("/bin/busybox", "busybox").unwrap();
    let import =
        CreateImageOptions { from_src: Some("-".to_owned()), repo: Some("sleeper".to_owned()), ..Default::default() };
    let body = bollard::body_full(image.into_inner().unwrap().into());
    docker.create_image(Some(import), Some(body), None).try_collect::<Vec<_>>().await.unwrap();

    let network = NetworkCreateRequest { name: "sleepers".to_owned(), ..Default::default() };
    let network = docker.create_network(network).await.unwrap();
    let body = ContainerCreateBody {
        image: Some("sleeper".to_owned()),
        cmd: Some(
            ["/busybox", "sh", "-c", "while :; do /busybox sleep 1; done; : sleep-for-the-harness"]
                .map(str::to_owned)
                .into(),
        ),
        host_config: Some(HostConfig { network_mode: Some("sleepers".to_owned()), ..Default::default() }),
        ..Default::default()
    };
    let id = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let state = docker.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap().state.unwrap();
    (state.pid.unwrap(), Path::new("/sys/class/net").join(format!("br-{}", &network.id[..12])))
}

fn processes_with(text: &str) -> Vec<i64> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(text)
    })
    .collect()
}
