//! The control over HTTP.

use devstack::github::JobStatus;
use serde_json::json;

use super::support::{Api, Home, Receiving, SOON};

#[tokio::test]
async fn jobs_are_queued_shown_cancelled_and_adopted_over_http() {
    let receiving = Receiving::start();
    let api = Api::start();
    api.stand_in.set_webhook(devstack::github::Webhook::json(&receiving.url, "0123456789abcdef"));
    let spec = json!({ "repository": "octo/repo", "labels": ["x"] });
    let silent = api.own("POST", "/jobs?webhook=false", "", Some(spec.clone())).await;
    assert_eq!(silent.status, 201, "{silent:?}");
    let queued = api.own("POST", "/jobs", "", Some(spec)).await;
    let id = queued.body["id"].as_u64().unwrap();
    assert_eq!(receiving.next().json()["workflow_job"]["id"], id);
    assert_eq!(api.own("GET", &format!("/jobs/{id}"), "", None).await.body["status"], "queued");
    let payload = api.own("GET", &format!("/jobs/{id}/payload"), "", None).await;
    assert_eq!(payload.body["workflow_job"]["id"], id);
    assert_eq!(api.own("POST", &format!("/jobs/{id}/cancel"), "", None).await.status, 202);
    assert_eq!(api.own("POST", &format!("/jobs/{id}/cancel"), "", None).await.status, 409);
    assert_eq!(api.stand_in.job(id).unwrap().status, JobStatus::Completed);

    let mut given = payload.body;
    given["workflow_job"]["id"] = json!(7);
    assert_eq!(api.own("POST", "/jobs/adopt?script=false", "", Some(given)).await.body["id"], 7);
    assert_eq!(api.own("POST", "/jobs/adopt", "", Some(json!({}))).await.status, 422);

    let state = api.own("GET", "/state", "", None).await.body;
    assert_eq!(state["jobs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn faults_are_asked_for_and_taken_back_over_http() {
    let api = Api::start();
    let fault = json!({ "path": "/orgs/*", "times": 2, "effect": { "answer": { "status": 503 } } });
    assert_eq!(api.own("POST", "/faults", "", Some(fault)).await.status, 201);
    assert_eq!(api.call("GET", "/orgs/octo/actions/runners", None).await.status, 503);
    assert_eq!(api.own("DELETE", "/faults", "", None).await.status, 204);
    assert_eq!(api.call("GET", "/orgs/octo/actions/runners", None).await.status, 200);
}

#[tokio::test]
async fn a_job_from_githubs_published_example_is_taken_by_a_runner() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/payloads/workflow_job.queued.json");
    let body = std::fs::read(example)
        .unwrap_or_else(|error| panic!("GitHub's examples belong beside the checkout: {example}: {error}"));
    let api = Api::start();
    let id = api.stand_in.add_job_from_payload(&body, "echo taken").unwrap();
    let jit = json!({ "name": "r", "runner_group_id": 1, "labels": ["self-hosted", "Ubuntu-Latest"] });
    let path = "/repos/Codertocat/Hello-World/actions/runners/generate-jitconfig";
    let answer = api.call("POST", path, Some(jit)).await;
    let home = Home::with(&super::support::files(&answer.body));
    let mut runner = home.run();
    let job = api.stand_in.wait_for_job(id, JobStatus::Completed, SOON).await.unwrap();
    assert_eq!((job.id, job.log.as_str()), (289_782_451, "taken\n"));
    assert!(runner.wait(SOON).await.unwrap().success());
}
