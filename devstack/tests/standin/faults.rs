//! Faults on demand.

use std::time::{Duration, Instant};

use devstack::github::{Effect, Fault};
use serde_json::json;

use super::support::{Api, TOKEN};

const RUNNERS: &str = "/orgs/octo/actions/runners";

#[tokio::test]
async fn a_fault_answers_in_githubs_words_and_only_as_often_as_it_was_asked_for() {
    let api = Api::start();
    let faults = [
        (Effect::secondary_limit(Some(Duration::from_secs(7))), 403, "retry-after", "7"),
        (Effect::too_many_requests(Duration::from_secs(9)), 429, "retry-after", "9"),
        (Effect::primary_limit(12_345), 403, "x-ratelimit-reset", "12345"),
        (Effect::primary_limit(12_345), 403, "x-ratelimit-remaining", "0"),
        (Effect::server_error(), 500, "x-ratelimit-limit", "5000"),
        (Effect::status(404, "Not Found"), 404, "x-ratelimit-limit", "5000"),
        (Effect::status(422, "Validation Failed"), 422, "x-ratelimit-limit", "5000"),
    ];
    for (effect, status, header, value) in faults {
        api.stand_in.fault(Fault::once("GET", RUNNERS, effect));
        assert_eq!(api.call("GET", "/orgs/other/actions/runners", None).await.status, 200);
        let answer = api.call("GET", RUNNERS, None).await;
        assert_eq!((answer.status, answer.header(header)), (status, value), "{answer:?}");
        assert_eq!(answer.body["status"], status.to_string());
        assert_eq!(api.call("GET", RUNNERS, None).await.status, 200);
    }
    api.stand_in.fault(Fault::once("GET", "*", Effect::server_error()).times(5));
    assert_eq!(api.stand_in.faults_left(), 5);
    api.stand_in.clear_faults();
    assert_eq!(api.call("GET", RUNNERS, None).await.status, 200);
}

#[tokio::test]
async fn a_lost_answer_leaves_the_call_carried_out() {
    let api = Api::start();
    let path = format!("{RUNNERS}/generate-jitconfig");
    api.stand_in.fault(Fault::once("POST", &path, Effect::Lost));
    let body = json!({ "name": "r", "runner_group_id": 1, "labels": ["l"] });
    let lost = api.request(TOKEN, "POST", &path).json(&body).send().await.unwrap_err();
    assert!(!lost.is_timeout() && lost.status().is_none(), "{lost:?}");
    assert_eq!(api.stand_in.runners().len(), 1);
    assert_eq!(api.call("POST", &path, Some(body)).await.status, 409);
    assert_eq!(api.stand_in.calls()[0].status, None);
}

#[tokio::test]
async fn a_call_may_be_late_or_hang() {
    let api = Api::start();
    api.stand_in.fault(Fault::once("GET", RUNNERS, Effect::delay(Duration::from_millis(300))));
    let begun = Instant::now();
    assert_eq!(api.call("GET", RUNNERS, None).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));

    api.stand_in.fault(Fault::once("GET", RUNNERS, Effect::Hang));
    let hanging = api.request(TOKEN, "GET", RUNNERS).timeout(Duration::from_millis(300)).send().await;
    assert!(hanging.unwrap_err().is_timeout());
    assert_eq!(api.stand_in.count("GET", "/orgs/{org}/actions/runners"), 2);
}

#[tokio::test]
async fn a_stand_in_stops_at_once_and_frees_its_port_even_while_calls_hang() {
    let api = Api::start();
    let bind = api.stand_in.url().strip_prefix("http://").unwrap().parse().unwrap();
    api.stand_in.fault(Fault::once("GET", RUNNERS, Effect::Hang));
    let hanging = tokio::time::timeout(Duration::from_millis(100), api.request(TOKEN, "GET", RUNNERS).send()).await;
    assert!(hanging.is_err());
    let begun = Instant::now();
    api.stand_in.stop();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let config = devstack::github::Config { bind, ..Default::default() };
    assert!(devstack::github::StandIn::start(config).is_ok());
}
