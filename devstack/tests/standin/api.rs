//! The API.

use devstack::github::{ClassicScope, Config, FineGrained, Permissions};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::support::{Api, LABELS, TOKEN, job};

const SCOPES: [&str; 3] = ["/repos/octo/repo", "/orgs/octo", "/enterprises/octo-inc"];

fn body(name: &str) -> Value {
    json!({ "name": name, "runner_group_id": 1, "labels": LABELS })
}

#[tokio::test]
async fn a_token_to_register_or_remove_runners_is_good_for_an_hour_at_every_scope() {
    let api = Api::start();
    for scope in SCOPES {
        for kind in ["registration-token", "remove-token"] {
            let answer = api.call("POST", &format!("{scope}/actions/runners/{kind}"), None).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert!(answer.body["token"].as_str().unwrap().len() > 20);
            let expires = answer.body["expires_at"].as_str().unwrap();
            let left = OffsetDateTime::parse(expires, &Rfc3339).unwrap() - OffsetDateTime::now_utc();
            assert!((3590..=3600).contains(&left.whole_seconds()), "{expires}");
        }
    }
    assert_eq!(api.stand_in.count("POST", "/orgs/{org}/actions/runners/registration-token"), 1);
    assert!(!format!("{:?}", api.stand_in).contains(TOKEN));
}

#[tokio::test]
async fn a_jit_configuration_registers_a_runner_that_is_listed_shown_and_deleted() {
    let api = Api::start();
    for scope in SCOPES {
        let runners = format!("{scope}/actions/runners");
        let answer = api.call("POST", &format!("{runners}/generate-jitconfig"), Some(body("r1"))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let runner = &answer.body["runner"];
        assert_eq!(
            (&runner["name"], &runner["status"], &runner["busy"]),
            (&json!("r1"), &json!("offline"), &json!(false))
        );
        let labels: Vec<&Value> = runner["labels"].as_array().unwrap().iter().map(|label| &label["name"]).collect();
        assert_eq!(labels, LABELS);
        let files = super::support::files(&answer.body);
        assert_eq!(files.as_object().unwrap().len(), 3);
        assert!(files[".runner"].as_str().unwrap().contains("\"r1\""));

        let id = &runner["id"];
        let shown = api.call("GET", &format!("{runners}/{id}"), None).await;
        assert_eq!((shown.status, &shown.body), (200, runner));
        let listed = api.call("GET", &format!("{runners}?name=r1"), None).await;
        assert_eq!((&listed.body["total_count"], &listed.body["runners"][0]["id"]), (&json!(1), id));
        let other = api.call("GET", &format!("{runners}?name=r2"), None).await;
        assert_eq!(other.body["total_count"], 0);
        assert_eq!(api.call("DELETE", &format!("{runners}/{id}"), None).await.status, 204);
        assert_eq!(api.call("DELETE", &format!("{runners}/{id}"), None).await.status, 404);
        assert_eq!(api.call("GET", &format!("{runners}/{id}"), None).await.status, 404);
    }
}

#[tokio::test]
async fn runners_come_in_pages() {
    let api = Api::start();
    for index in 0..5 {
        api.jit("/orgs/octo", &format!("r{index}")).await;
    }
    let second = api.call("GET", "/orgs/octo/actions/runners?per_page=2&page=2", None).await;
    let names: Vec<&Value> = second.body["runners"].as_array().unwrap().iter().map(|runner| &runner["name"]).collect();
    assert_eq!((&second.body["total_count"], names), (&json!(5), vec![&json!("r2"), &json!("r3")]));
    for relation in ["prev", "next", "last", "first"] {
        assert!(second.header("link").contains(&format!("rel=\"{relation}\"")), "{}", second.header("link"));
    }
    let last = api.call("GET", "/orgs/octo/actions/runners?per_page=2&page=3", None).await;
    assert!(!last.header("link").contains("rel=\"next\""));
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_with_githubs_status() {
    let api = Api::start();
    let path = "/orgs/octo/actions/runners/generate-jitconfig";
    assert_eq!(api.call("POST", path, Some(body("r"))).await.status, 201);
    let taken = api.call("POST", path, Some(body("r"))).await;
    assert_eq!(taken.status, 409);
    assert!(taken.message().starts_with("Already exists"), "{taken:?}");
    assert_eq!(taken.body["status"], "409");
    assert!(taken.body["documentation_url"].is_string());

    for (wrong, status) in [
        (json!({ "name": "s", "runner_group_id": 9, "labels": LABELS }), 404),
        (json!({ "name": "s", "runner_group_id": 1, "labels": [] }), 422),
        (json!({ "name": "s", "runner_group_id": 1, "labels": ["l".repeat(257)] }), 422),
        (json!({ "name": "s/s", "runner_group_id": 1, "labels": LABELS }), 422),
        (json!({ "name": "s", "labels": LABELS }), 422),
    ] {
        assert_eq!(api.call("POST", path, Some(wrong.clone())).await.status, status, "{wrong}");
    }
    let malformed = api.request(TOKEN, "POST", path).body("{").send().await.unwrap();
    assert_eq!(malformed.status(), 400);
}

#[tokio::test]
async fn groups_are_those_of_the_organization_or_enterprise() {
    let api = Api::start();
    let id = api.stand_in.add_group(&"octo".parse().unwrap(), "gpu", None);
    let answer = api.call("GET", "/orgs/octo/actions/runner-groups?per_page=100", None).await;
    let groups: Vec<(&Value, &Value, &Value)> = answer.body["runner_groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (&group["id"], &group["name"], &group["default"]))
        .collect();
    let (default, gpu) = ((json!(1), json!("Default"), json!(true)), (json!(id), json!("gpu"), json!(false)));
    assert_eq!(groups, [(&default.0, &default.1, &default.2), (&gpu.0, &gpu.1, &gpu.2)]);
    let others = api.call("GET", "/enterprises/octo-inc/actions/runner-groups", None).await;
    assert_eq!(others.body["total_count"], 1);
    assert_eq!(api.call("GET", "/repos/octo/repo/actions/runner-groups", None).await.status, 404);
}

#[tokio::test]
async fn jobs_and_runs_are_those_of_the_repository() {
    let api = Api::start();
    let id = api.stand_in.add_job(job("true"));
    let shown = api.call("GET", &format!("/repos/octo/repo/actions/jobs/{id}"), None).await;
    assert_eq!((&shown.body["id"], &shown.body["status"]), (&json!(id), &json!("queued")));
    assert_eq!(api.call("GET", &format!("/repos/octo/other/actions/jobs/{id}"), None).await.status, 404);
    let runs = api.call("GET", "/repos/octo/repo/actions/runs?status=queued", None).await;
    assert_eq!(runs.body["total_count"], 1);
    let run = &runs.body["workflow_runs"][0]["id"];
    let jobs = api.call("GET", &format!("/repos/octo/repo/actions/runs/{run}/jobs?filter=latest"), None).await;
    assert_eq!(jobs.body["jobs"][0]["id"], id);

    assert!(api.stand_in.cancel_job(id));
    let shown = api.call("GET", &format!("/repos/octo/repo/actions/jobs/{id}"), None).await;
    assert_eq!((&shown.body["status"], &shown.body["conclusion"]), (&json!("completed"), &json!("cancelled")));
    let runs = api.call("GET", "/repos/octo/repo/actions/runs?status=queued", None).await;
    assert_eq!(runs.body["total_count"], 0);
}

#[tokio::test]
async fn a_call_says_who_makes_it_and_with_which_token() {
    let api = Api::start();
    let path = "/orgs/octo/actions/runners";
    let bad = api.call_as("ghp_wrong", "GET", path, None).await;
    assert_eq!((bad.status, bad.message()), (401, "Bad credentials"));
    let url = format!("{}/api/v3{path}", api.stand_in.url());
    let client = reqwest::Client::new();
    let none = client.get(&url).header("User-Agent", "test").send().await.unwrap();
    assert_eq!(none.status(), 401);
    let nameless = client.get(&url).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(nameless.status(), 403);
    assert!(nameless.text().await.unwrap().contains("User-Agent header"));
    let unknown = api.call("GET", "/orgs/octo/nothing", None).await;
    assert_eq!((unknown.status, unknown.message()), (404, "Not Found"));
    assert_eq!(api.call("PUT", path, None).await.status, 404);
}

#[tokio::test]
async fn a_token_that_lacks_a_permission_is_told_which() {
    let elsewhere = Permissions::all().only_at(["other".parse().unwrap()]);
    let config = Config::default()
        .token("repo", Permissions::classic([ClassicScope::Repo]))
        .token("fine", Permissions::fine_grained([FineGrained::SelfHostedRunners]))
        .token("elsewhere", elsewhere);
    let api = Api::with(config);
    let token = |scope: &str| format!("{scope}/actions/runners/registration-token");

    let organization = api.call_as("repo", "POST", &token(SCOPES[1]), None).await;
    assert_eq!((organization.status, organization.header("x-oauth-scopes")), (403, "repo"));
    assert_eq!(organization.header("x-accepted-oauth-scopes"), "admin:org");
    let enterprise = api.call_as("repo", "POST", &token(SCOPES[2]), None).await;
    assert_eq!((enterprise.status, enterprise.message()), (404, "Not Found"));
    assert_eq!(enterprise.header("x-accepted-oauth-scopes"), "manage_runners:enterprise");
    assert_eq!(api.call_as("repo", "POST", &token(SCOPES[0]), None).await.status, 201);

    let repository = api.call_as("fine", "POST", &token(SCOPES[0]), None).await;
    assert_eq!(repository.status, 403);
    assert_eq!(repository.message(), "Resource not accessible by personal access token");
    assert_eq!(repository.header("x-accepted-github-permissions"), "administration=write");
    assert_eq!(api.call_as("fine", "POST", &token(SCOPES[1]), None).await.status, 201);
    assert_eq!(api.call_as("elsewhere", "POST", &token(SCOPES[1]), None).await.status, 404);
}

#[tokio::test]
async fn every_answer_says_where_the_rate_limit_stands() {
    let api = Api::with(Config { rate_limit: 3, ..Config::default() });
    let first = api.call("GET", "/orgs/octo/actions/runners", None).await;
    assert_eq!((first.header("x-ratelimit-limit"), first.header("x-ratelimit-remaining")), ("3", "2"));
    assert_eq!((first.header("x-ratelimit-used"), first.header("x-ratelimit-resource")), ("1", "core"));
    assert!(first.header("x-ratelimit-reset").parse::<i64>().unwrap() > OffsetDateTime::now_utc().unix_timestamp());
    for _ in 0..2 {
        let free = api.call("GET", "/rate_limit", None).await;
        assert_eq!((free.status, &free.body["rate"]["remaining"]), (200, &json!(2)));
    }
    let missing = api.call("GET", "/orgs/octo/actions/runners/1", None).await;
    assert_eq!((missing.status, missing.header("x-ratelimit-remaining")), (404, "1"));
    api.call("GET", "/orgs/octo/actions/runners", None).await;
    let limited = api.call("GET", "/orgs/octo/actions/runners", None).await;
    assert_eq!((limited.status, limited.header("x-ratelimit-remaining")), (403, "0"));
    assert!(limited.message().contains("rate limit exceeded"));
}
