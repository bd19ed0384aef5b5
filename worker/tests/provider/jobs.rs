//! What a job may do with Docker.

use std::time::Duration;

use shared::model::DockerAccess;
use tokio::time::timeout;
use worker::{
    provider::{Provider, ProviderError, RunnerHandle},
    runner::{Credentials, web_url},
};

use super::{
    images,
    world::{IMAGE, World, docker},
};

const PATIENCE: Duration = Duration::from_mins(2);

/// The exit code of a runner, and what it printed.
async fn ended(world: &World<impl Provider>, runner: &RunnerHandle) -> (i64, Vec<String>) {
    let exit = timeout(PATIENCE, world.provider.wait(runner)).await.unwrap().unwrap();
    (exit.code, world.provider.tail(runner, 50).await.unwrap())
}

#[tokio::test]
async fn a_job_with_a_daemon_of_its_own_runs_containers_that_see_its_folders() {
    let world = docker().await;
    images::get_ready(false).await;
    let spec = world.with_daemon(
        "set -e; echo of the runner > _work/here; tar -c -C / bin | docker import - tiny >/dev/null; \
         docker run --rm --volume /home/runner/_work:/__w --volume /home/runner/externals:/__e:ro tiny \
         /bin/sh -c 'cat /__w/here /__e/node; echo of the job > /__w/there'; cat _work/there; \
         docker ps --all --quiet; docker images --format {{.Repository}}",
    );
    let runner = world.started(&spec).await;
    let (code, lines) = ended(&world, &runner).await;
    assert_eq!((code, lines), (0, ["of the runner", "of the image", "of the job", "tiny"].map(str::to_owned).into()));
}

#[tokio::test]
async fn a_daemon_that_does_not_come_up_is_told_with_its_options_and_nothing_is_left() {
    let world = docker().await;
    images::get_ready(false).await;
    let mut weak = world.with_daemon("");
    weak.docker.dind_cap_add = vec!["NET_RAW".to_owned()];
    let mut none = world.with_daemon("");
    none.docker.dind_image = Some(IMAGE.to_owned()); // has no dockerd
    for spec in [weak, none] {
        let error = world.provider.create(&spec).await.unwrap_err();
        assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("dind_cap_add and dind_image in [pool.docker]"), "{error}");
        assert_eq!(world.provider.find(spec.job.unwrap()).await.unwrap(), []);
        assert_eq!(world.beside(&spec.name).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_job_with_the_hosts_engine_has_its_folders_at_the_same_paths_as_the_host() {
    let world = docker().await;
    images::get_ready(false).await;
    let mut spec = world.spec(&format!(
        "set -e; home=$(dirname $0); mkdir $home/_work; echo of the runner > $home/_work/here; cat $home/.credentials; echo; \
         docker run --rm --network none --volume $home/_work:/__w --volume $home/externals:/__e:ro --entrypoint /bin/sh {IMAGE} \
         -c 'cat /__w/here /__e/node'",
    ));
    images::CLIENT.clone_into(&mut spec.image);
    spec.docker.docker = DockerAccess::Socket;
    let runner = world.started(&spec).await;
    assert_eq!(world.beside(&spec.name).await, [format!("{}.home", spec.name)]);
    let (code, lines) = ended(&world, &runner).await;
    assert_eq!((code, lines), (0, ["hush-hush", "of the runner", "of the image"].map(str::to_owned).into()));

    world.provider.remove(&runner).await.unwrap();
    assert_eq!(world.beside(&spec.name).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_image_with_a_command_of_its_own_cannot_have_the_hosts_engine() {
    let world = docker().await;
    let mut spec = world.spec("");
    images::get_ready(false).await;
    images::DAEMON.clone_into(&mut spec.image);
    spec.docker.docker = DockerAccess::Socket;
    let url = web_url("https://github.test", &spec.scope);
    spec.credentials = Credentials::Token { url, token: "hush".into() };
    let error = world.provider.create(&spec).await.unwrap_err().to_string();
    assert!(error.contains("registration = \"jit\""), "{error}");
    assert_eq!(world.beside(&spec.name).await, Vec::<String>::new());
}
