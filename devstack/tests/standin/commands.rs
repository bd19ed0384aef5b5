//! The command `devstack`.

use devstack::{
    deliver,
    harness::{Process, ProcessSpec},
};

use super::support::{Receiving, SOON};

const SECRET: &str = "0123456789abcdef";

fn devstack(arguments: &[&str]) -> ProcessSpec {
    let program = ProcessSpec::new(env!("CARGO_BIN_EXE_devstack"));
    arguments.iter().fold(program, |spec, &argument| spec.arg(argument))
}

#[tokio::test]
async fn deliver_signs_a_file_sends_it_and_prints_the_answer() {
    let receiving = Receiving::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payload.json");
    std::fs::write(&file, "{\"action\": \"queued\"}").unwrap();
    let file = file.to_str().unwrap();
    let guid = "6f1c0f0e-0000-4000-8000-000000000001";
    let arguments = ["deliver", file, "--url", &receiving.url, "--delivery", guid, "--target-type", "organization"];
    let mut command = Process::start(&devstack(&arguments).env("AUTOSCALER_SECRET_TOKEN", SECRET)).unwrap();
    let webhook = receiving.next();
    assert_eq!(webhook.body, b"{\"action\": \"queued\"}");
    assert_eq!(webhook.header("x-hub-signature-256"), deliver::signature(&SECRET.into(), &webhook.body));
    assert_eq!(webhook.header("x-github-delivery"), guid);
    assert_eq!(webhook.header("x-github-hook-installation-target-type"), "organization");
    assert_eq!(command.wait(SOON).await.unwrap().code(), Some(0));
    command.wait_for_line("202 queued", SOON).await.unwrap();
}

#[tokio::test]
async fn deliver_fails_when_it_is_refused_unanswered_or_has_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payload.json");
    std::fs::write(&file, "{}").unwrap();
    let file = file.to_str().unwrap();
    let api = super::support::Api::start();
    let nowhere = format!("{}/nowhere", api.stand_in.url());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, secret, said) in [
        (nowhere.as_str(), SECRET, "404"),
        (&format!("http://{closed}/"), SECRET, "no answer from"),
        (&nowhere, "", "AUTOSCALER_SECRET_TOKEN: is not set"),
    ] {
        let spec = devstack(&["deliver", file, "--url", url]).env("AUTOSCALER_SECRET_TOKEN", secret);
        let mut command = Process::start(&spec).unwrap();
        assert_eq!(command.wait(SOON).await.unwrap().code(), Some(1));
        command.wait_for_line(said, SOON).await.unwrap();
    }
}

#[tokio::test]
async fn github_stands_in_until_it_is_told_to_stop() {
    let receiving = Receiving::start();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let port = devstack::harness::free_port().unwrap();
    let bind = format!("127.0.0.1:{port}");
    let arguments = ["github", "--bind", &bind, "--webhook-url", &receiving.url, "--token", "ghp_mine"];
    let spec = devstack(&arguments).arg("--secret-file").arg(&secret);
    let mut command = Process::start(&spec).unwrap();
    command.wait_for_line("Standing in for GitHub", SOON).await.unwrap();
    let client = deliver::client().unwrap();
    let call = client.post(format!("http://{bind}/api/v3/orgs/octo/actions/runners/registration-token"));
    let answer = call.header("User-Agent", "test").bearer_auth("ghp_mine").send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let job = serde_json::json!({ "repository": "octo/repo", "labels": ["x"] });
    client.post(format!("http://{bind}/_standin/jobs")).json(&job).send().await.unwrap();
    let webhook = receiving.next();
    assert_eq!(webhook.header("x-hub-signature-256"), deliver::signature(&SECRET.into(), &webhook.body));
    assert!(command.stop(SOON).await.unwrap().success());
}
