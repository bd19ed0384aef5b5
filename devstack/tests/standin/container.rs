//! The runner in its container.

use std::{collections::HashMap, time::Duration};

use bollard::{
    Docker,
    container::LogOutput,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
        StartContainerOptions, UploadToContainerOptionsBuilder, WaitContainerOptions,
    },
};
use devstack::{
    github::{Conclusion, JobStatus},
    runner::RunnerImage,
};
use futures_util::TryStreamExt as _;
use serde_json::Value;

use super::support::{Api, job};

const TAG: &str = "devstack-runner:test-standin";
const PATIENCE: Duration = Duration::from_secs(30);

async fn engine() -> Docker {
    let docker = Docker::connect_with_defaults().expect("DOCKER_HOST names no engine");
    let docker = docker.negotiate_version().await;
    docker.expect("this test needs a Docker engine: start one, or set DOCKER_HOST")
}

async fn build(docker: &Docker) {
    let image = RunnerImage::compile().await.unwrap();
    image.build(docker, TAG).await.unwrap();
}

/// A created container, on the host's network so that it reaches the stand-in at 127.0.0.1.
async fn create(docker: &Docker, entrypoint: Option<&str>, env: &[String]) -> String {
    let body = ContainerCreateBody {
        image: Some(TAG.to_owned()),
        entrypoint: entrypoint.map(|program| vec![program.to_owned()]),
        env: Some(env.to_vec()),
        labels: Some(HashMap::from([("devstack.test".to_owned(), "standin".to_owned())])),
        host_config: Some(HostConfig { network_mode: Some("host".to_owned()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id
}

async fn upload(docker: &Docker, container: &str, files: &Value) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files.as_object().unwrap() {
        let content = content.as_str().unwrap().as_bytes();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_uid(1001);
        header.set_gid(1001);
        archive.append_data(&mut header, name, content).unwrap();
    }
    let options = UploadToContainerOptionsBuilder::default().path("/home/runner").build();
    let body = bollard::body_full(archive.into_inner().unwrap().into());
    docker.upload_to_container(container, Some(options), body).await.unwrap();
}

/// Starts the container, waits for its end, and removes it. Returns its exit code and what it printed.
async fn run(docker: &Docker, container: &str) -> (i64, String) {
    docker.start_container(container, None::<StartContainerOptions>).await.unwrap();
    let wait = docker.wait_container(container, None::<WaitContainerOptions>).try_collect::<Vec<_>>();
    let ended = tokio::time::timeout(PATIENCE, wait).await;
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).build();
    let output: Vec<LogOutput> = docker.logs(container, Some(options)).try_collect().await.unwrap();
    let output: String = output.iter().map(ToString::to_string).collect();
    let state = docker.inspect_container(container, None::<InspectContainerOptions>).await.unwrap().state.unwrap();
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    docker.remove_container(container, Some(options)).await.unwrap();
    assert!(ended.is_ok(), "the runner did not end; it said: {output}");
    (state.exit_code.unwrap(), output)
}

#[tokio::test]
async fn a_jit_runner_in_a_container_takes_a_job_as_the_user_runner() {
    let docker = engine().await;
    build(&docker).await;
    let api = Api::start();
    let files = api.jit("/repos/octo/repo", "in-container").await;
    let id =
        api.stand_in.queue_job(job("id -u; id -un; pwd; sleep 0.2; stat -c %u:%a /home/runner/.credentials || true"));

    let container = create(&docker, Some("/home/runner/run.sh"), &[]).await;
    upload(&docker, &container, &files).await;
    let (code, output) = run(&docker, &container).await;
    assert_eq!(code, 0, "{output}");
    for line in ["\u{221a} Connected to GitHub", "Listening for Jobs", "Job build completed with result: Succeeded"] {
        assert!(output.contains(line), "{line:?} is not in {output}");
    }
    let job = api.stand_in.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    assert_eq!(job.conclusion, Some(Conclusion::Success), "{}", job.log);
    assert!(job.log.starts_with("1001\nrunner\n/home/runner/_work\n"), "{}", job.log);
    assert!(api.stand_in.runners().is_empty());
}

#[tokio::test]
async fn a_runner_with_a_registration_token_registers_by_the_images_own_entry_point() {
    let docker = engine().await;
    build(&docker).await;
    let api = Api::start();
    let answer = api.call("POST", "/orgs/octo/actions/runners/registration-token", None).await;
    let id = api.stand_in.queue_job(job("exit 1"));
    let env = [
        format!("URL={}/octo", api.stand_in.url()),
        format!("TOKEN={}", answer.body["token"].as_str().unwrap()),
        "NAME=by-token".to_owned(),
        "LABELS=linux".to_owned(),
        "RUNNER_GROUP=Default".to_owned(),
    ];
    let container = create(&docker, None, &env).await;
    let (code, output) = run(&docker, &container).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("Job build completed with result: Failed"), "{output}");
    assert_eq!(api.stand_in.job(id).unwrap().taken_by.unwrap().name, "by-token");
    assert!(api.stand_in.runners().is_empty());
}
