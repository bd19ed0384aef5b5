//! What the Docker provider promises besides, seen through the engine's own API.

use std::{collections::HashMap, fs, io::Read as _};

use bollard::{
    Docker,
    models::{ContainerInspectResponse, ImageInspect},
    query_parameters::{DownloadFromContainerOptionsBuilder, InspectContainerOptions},
};
use futures_util::TryStreamExt as _;
use secrecy::SecretString;
use shared::{
    model::{Bytes, PullPolicy},
    telemetry::chain,
};
use worker::{
    provider::{
        Provider, ProviderError, RunnerHandle,
        docker::{DockerConfig, DockerProvider},
    },
    runner::{Credentials, web_url},
};

use super::world::{IMAGE, builder, config, docker};

const SECRET: &str = "hush-hush";

fn engine() -> Docker {
    Docker::connect_with_host(config().host.as_str()).unwrap()
}

async fn inspect(runner: &RunnerHandle) -> ContainerInspectResponse {
    engine().inspect_container(&runner.id, None::<InspectContainerOptions>).await.unwrap()
}

/// The files in a container's directory: name, mode, owner, content.
async fn files(runner: &RunnerHandle, path: &str) -> Vec<(String, u32, (u64, u64), String)> {
    let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
    let pieces: Vec<_> = engine().download_from_container(&runner.id, Some(options)).try_collect().await.unwrap();
    let archive = pieces.concat();
    let mut archive = tar::Archive::new(archive.as_slice());
    let read = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let header = entry.header();
        let (mode, owner) = (header.mode().unwrap() & 0o7777, (header.uid().unwrap(), header.gid().unwrap()));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        (name, mode, owner, content)
    });
    read.collect()
}

#[tokio::test]
async fn a_jit_container_has_its_labels_and_no_secret_to_inspect() {
    let world = docker().await;
    let spec = world.spec("");
    let runner = world.provider.create(&spec).await.unwrap();
    let inspected = inspect(&runner).await;

    let json = serde_json::to_string(&inspected).unwrap();
    for secret in [SECRET, "aHVzaC1odXNo"] {
        assert!(!json.contains(secret), "{json}");
    }
    let config = inspected.config.unwrap();
    let labels = HashMap::from([
        ("autoscaler.job".to_owned(), spec.job.unwrap().to_string()),
        ("autoscaler.pool".to_owned(), "default".to_owned()),
        ("autoscaler.worker".to_owned(), spec.worker.to_string()),
        ("autoscaler.runner_id".to_owned(), "23".to_owned()),
        ("autoscaler.scope".to_owned(), "octo/repo".to_owned()),
    ]);
    assert_eq!(config.labels.unwrap(), labels);
    assert_eq!(config.entrypoint.unwrap(), ["/home/runner/run.sh"]);
    assert_eq!(config.cmd.unwrap_or_default(), Vec::<String>::new());
    assert!(config.env.unwrap().contains(&"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1".to_owned()));
    assert_eq!(config.stop_timeout, Some(90));
}

#[tokio::test]
async fn a_container_is_restricted_and_does_not_see_the_engine() {
    let world = docker().await;
    let runner = world.provider.create(&world.spec("")).await.unwrap();
    let inspected = inspect(&runner).await;
    let host = inspected.host_config.unwrap();

    assert_eq!(host.init, Some(true));
    assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
    assert_eq!((host.cap_drop.unwrap(), host.cap_add.unwrap_or_default()), (vec!["ALL".to_owned()], Vec::new()));
    assert_eq!((host.pids_limit, host.memory, host.memory_swap), (Some(4096), Some(8 << 30), Some(8 << 30)));
    let processors = engine().info().await.unwrap().ncpu.unwrap();
    assert_eq!(host.nano_cpus, Some(processors.min(4) * 1_000_000_000));
    assert_eq!(host.auto_remove, Some(false));
    assert_eq!(host.privileged, Some(false));
    let log = host.log_config.unwrap();
    assert_eq!(log.typ.as_deref(), Some("json-file"));
    let limits = HashMap::from([("max-size", "10m"), ("max-file", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert_eq!(log.config.unwrap(), limits);
    assert!(inspected.mounts.unwrap_or_default().is_empty());
}

#[tokio::test]
async fn the_files_are_there_before_the_start_and_are_the_runners_alone() {
    let world = docker().await;
    for (user, owner) in [(None, (1001, 123)), (Some("1234:5"), (1234, 5)), (Some("root"), (0, 0))] {
        let mut spec = world.spec("cat .credentials; id -u");
        spec.docker.user = user.map(str::to_owned);
        let runner = world.provider.create(&spec).await.unwrap();

        let files = files(&runner, "/home/runner/.").await;
        for (name, content) in [(".credentials", SECRET), (".runner", "{}")] {
            let written = files.iter().find(|file| file.0.ends_with(&format!("/{name}"))).unwrap();
            assert_eq!((written.1, written.2, written.3.as_str()), (0o600, owner, content), "{user:?}: {name}");
        }
        world.provider.start(&runner).await.unwrap();
        assert_eq!(world.provider.wait(&runner).await.unwrap().code, 0);
        assert_eq!(world.provider.tail(&runner, 10).await.unwrap(), [format!("{SECRET}{}", owner.0)]);
    }
}

#[tokio::test]
async fn a_container_that_cannot_be_given_its_files_is_removed_again() {
    let world = docker().await;
    let mut spec = world.spec("");
    spec.docker.user = Some("nobody-knows".to_owned());
    let error = world.provider.create(&spec).await.unwrap_err();
    assert!(matches!(error, ProviderError::Refused { .. }) && error.to_string().contains("nobody-knows"), "{error}");
    assert_eq!(world.provider.find(spec.job.unwrap()).await.unwrap(), []);
}

#[tokio::test]
async fn a_token_runner_is_configured_by_a_shell_that_keeps_the_token_out_of_the_command() {
    let world = docker().await;
    let mut spec = world.spec("echo token=${TOKEN-none}");
    let url = web_url("https://github.test", &spec.scope);
    spec.credentials = Credentials::Token { url, token: SecretString::from(SECRET) };
    spec.runner_id = None;
    let runner = world.started(&spec).await;
    world.provider.wait(&runner).await.unwrap();

    let configured = format!(
        "configured --unattended --url https://github.test/octo/repo --token {SECRET} --name {} \
         --labels self-hosted,linux --work _work --ephemeral --disableupdate --replace",
        spec.name
    );
    assert_eq!(world.provider.tail(&runner, 10).await.unwrap(), [configured, "token=none".to_owned()]);
    let inspected = inspect(&runner).await;
    let config = inspected.config.unwrap();
    assert!(!config.labels.unwrap().contains_key("autoscaler.runner_id"));
    assert!(!format!("{:?} {:?} {:?}", inspected.args, config.cmd, config.entrypoint).contains(SECRET));
    assert!(config.env.unwrap().contains(&format!("TOKEN={SECRET}")));
}

#[tokio::test]
async fn an_option_that_docker_refuses_is_named() {
    let world = docker().await;
    let mut little = world.spec("");
    little.docker.memory = Some(Bytes(1 << 20));
    let mut elsewhere = world.spec("");
    elsewhere.docker.network = Some("autoscaler-test-nowhere".to_owned());
    let mut otherwise = world.spec("");
    otherwise.docker.runtime = Some("autoscaler-test-none".to_owned());
    let mut powerful = world.spec("");
    powerful.docker.cap_add = vec!["ALMIGHTY".to_owned()];
    let mut mounted = world.spec("");
    mounted.docker.volumes = vec!["nowhere".to_owned(), "a:b:c:d".to_owned()];

    for (spec, option) in [
        (little, "memory"),
        (elsewhere, "network"),
        (otherwise, "runtime"),
        (powerful, "cap_add"),
        (mounted, "volumes"),
    ] {
        let error = match world.provider.create(&spec).await {
            Ok(runner) => world.provider.start(&runner).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(&format!("check {option} in [pool.docker]")), "{error}");
    }
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_unavailable_until_it_is() {
    let world = docker().await;
    let spec = world.spec("");
    let runner = world.provider.create(&spec).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    for host in [format!("unix://{}", socket.display()), "tcp://127.0.0.1:1".to_owned()] {
        let config = DockerConfig { host: host.parse().unwrap(), ..DockerConfig::default() };
        let away = DockerProvider::new(config, IMAGE);
        let errors = [
            away.ping().await.unwrap_err(),
            away.prepare(IMAGE, PullPolicy::Always).await.unwrap_err(),
            away.create(&spec).await.unwrap_err(),
            away.start(&runner).await.unwrap_err(),
            away.follow(&runner).try_next().await.unwrap_err(),
            away.wait(&runner).await.unwrap_err(),
            away.tail(&runner, 1).await.unwrap_err(),
            away.remove(&runner).await.unwrap_err(),
            away.find(spec.job.unwrap()).await.unwrap_err(),
            away.list().await.unwrap_err(),
        ];
        for error in errors {
            assert!(error.is_unavailable() && chain(&error).contains(&host), "{}", chain(&error));
        }
    }

    let Some(real) = config().host.as_str().strip_prefix("unix://").map(str::to_owned) else { return };
    let config =
        DockerConfig { host: format!("unix://{}", socket.display()).parse().unwrap(), ..DockerConfig::default() };
    let away = DockerProvider::new(config, IMAGE);
    assert!(away.ping().await.unwrap_err().is_unavailable());
    std::os::unix::fs::symlink(real, &socket).unwrap();
    away.ping().await.unwrap();
    assert_eq!(away.find(spec.job.unwrap()).await.unwrap().len(), 1);
    fs::remove_file(&socket).unwrap();
    assert!(away.ping().await.unwrap_err().is_unavailable());
    assert!(away.start(&runner).await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn an_image_that_cannot_be_built_says_why() {
    let world = docker().await;
    let directory = tempfile::tempdir().unwrap();
    let missing = builder(directory.path()).prepare(IMAGE, PullPolicy::Missing).await.unwrap_err();
    assert!(matches!(missing, ProviderError::ImageAbsent { .. }), "{missing}");
    assert!(missing.to_string().contains("DOCKER_RUNNER_DOCKERFILE: there is no file Dockerfile"), "{missing}");

    fs::write(directory.path().join("Dockerfile"), "FROM scratch\nCOPY nowhere /\n").unwrap();
    // More than waits between the reader of the directory and an engine that has stopped to listen.
    fs::write(directory.path().join("large"), vec![7; 8 << 20]).unwrap();
    let broken = builder(directory.path()).prepare(IMAGE, PullPolicy::Missing).await.unwrap_err();
    assert!(matches!(broken, ProviderError::ImageAbsent { .. }), "{broken}");
    assert!(broken.to_string().contains("nowhere") && broken.to_string().contains("Step 2/2"), "{broken}");

    fs::write(directory.path().join("Dockerfile"), "FRUM scratch\n").unwrap();
    let broken = builder(directory.path()).prepare(IMAGE, PullPolicy::Missing).await.unwrap_err();
    assert!(broken.to_string().to_ascii_lowercase().contains("unknown instruction"), "{broken}");

    // The image of that name is as it was.
    let image: ImageInspect = engine().inspect_image(IMAGE).await.unwrap();
    assert_eq!(image.config.unwrap().user.as_deref(), Some("runner"));
    drop(world);
}
