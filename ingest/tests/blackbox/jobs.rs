//! What becomes of jobs.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::model::{JobMessage, JobState, Traceparent};

use super::app::{App, Delivery, event, event_with};

pub(super) fn outcome(code: u16, status: &str) -> (u16, String) {
    (code, status.to_owned())
}

#[tokio::test]
async fn a_queued_job_is_stored_when_it_is_acknowledged() {
    let app = App::start().await;
    assert_eq!(app.deliver(&event("queued", 1)).await.outcome(), outcome(202, "queued"));
    let record = app.job(1).await.unwrap();
    assert_eq!((record.state, record.pool.unwrap().as_str()), (JobState::Pending, "default"));
    assert_eq!(record.scope.unwrap().to_string(), "octo-org/octo-repo");
    assert_eq!(record.labels.to_string(), "self-hosted,linux");
    assert_eq!(app.pending().await, 1);
    app.stop().await;
}

/// What is stored of a job.
async fn message(app: &App, id: u64) -> JobMessage {
    let mut read = redis::cmd("HGET");
    read.arg(format!("gha:{{default}}:job:{id}")).arg("msg");
    serde_json::from_str(&app.queue.command::<String>(&read).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_job_has_a_trace_that_goes_on_with_the_one_its_delivery_tells_of() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let app = App::start().await;
    let deliveries = [
        Delivery::of(&event("queued", 1)),
        Delivery::of(&event("queued", 2)).and("traceparent", "odd"),
        Delivery::of(&event("queued", 3)).and("traceparent", PARENT),
    ];
    let mut traces = Vec::new();
    for (delivery, id) in deliveries.iter().zip(1..) {
        assert_eq!(app.send(delivery).await.outcome(), outcome(202, "queued"));
        traces.push(message(&app, id).await.trace.unwrap());
    }
    assert_ne!(traces[0].traceparent.trace_id(), traces[1].traceparent.trace_id());
    assert!(traces[..2].iter().all(|trace| trace.parent.is_none() && trace.traceparent.is_sampled()), "{traces:?}");
    let parent: Traceparent = PARENT.parse().unwrap();
    assert_eq!(traces[2].traceparent.trace_id(), parent.trace_id());
    assert_ne!(traces[2].traceparent.span_id(), parent.span_id());
    assert!(!traces[2].traceparent.is_sampled());
    assert_eq!(traces[2].parent.as_ref(), Some(&parent));
    app.stop().await;
}

#[tokio::test]
async fn a_job_is_queued_once_however_often_github_delivers_it() {
    let app = App::start().await;
    let first = Delivery::of(&event("queued", 1));
    assert_eq!(app.send(&first).await.outcome(), outcome(202, "queued"));
    for _ in 0..3 {
        assert_eq!(app.send(&first).await.outcome(), outcome(200, "duplicate"));
        assert_eq!(app.deliver(&event("queued", 1)).await.outcome(), outcome(200, "duplicate"));
    }
    assert_eq!(app.pending().await, 1);
    app.stop().await;
}

#[tokio::test]
async fn two_hundred_deliveries_at_once_are_all_stored() {
    let app = App::start().await;
    let deliveries = (1..=200).map(|id| {
        let app = &app;
        async move { app.deliver(&event("queued", id)).await.outcome() }
    });
    for answer in futures_util::future::join_all(deliveries).await {
        assert_eq!(answer, outcome(202, "queued"));
    }
    assert_eq!(app.pending().await, 200);
    app.stop().await;
}

#[tokio::test]
async fn jobs_that_come_while_others_are_stored_follow_together() {
    const JOBS: u64 = 100;
    let app = App::start().await;
    app.deliver(&event("queued", 1)).await;
    let monitor = app.redis.monitor().unwrap();
    let pause = redis::cmd("CLIENT").arg("PAUSE").arg(500).arg("WRITE").to_owned();
    app.queue.command::<()>(&pause).await.unwrap();
    let deliveries = (2..2 + JOBS).map(|id| {
        let app = &app;
        async move { app.deliver(&event("queued", id)).await.outcome() }
    });
    let answers = futures_util::future::join_all(deliveries).await;
    assert!(answers.iter().all(|answer| *answer == outcome(202, "queued")), "{answers:?}");
    assert_eq!(app.pending().await, 1 + JOBS);
    let calls = monitor.sent().iter().filter(|sent| sent.name == "enqueue").count();
    assert!((1..50).contains(&calls), "{calls} calls for {JOBS} jobs");
    app.stop().await;
}

#[tokio::test]
async fn a_job_that_waits_for_an_approval_is_queued_when_it_is_queued() {
    let app = App::start().await;
    assert_eq!(app.deliver(&event("waiting", 1)).await.outcome(), outcome(200, "ignored"));
    assert!(app.job(1).await.is_none());
    assert_eq!(app.deliver(&event("queued", 1)).await.outcome(), outcome(202, "queued"));
    app.stop().await;
}

#[tokio::test]
async fn a_job_that_is_cancelled_before_it_started_waits_no_more() {
    let app = App::start().await;
    app.deliver(&event("queued", 1)).await;
    let cancelled = Delivery::of(&event_with("completed", 1, &json!({ "conclusion": "cancelled", "runner_id": 0 })));
    assert_eq!(app.send(&cancelled).await.outcome(), outcome(202, "cancelled"));
    assert_eq!(app.job(1).await.unwrap().state, JobState::Cancelled);
    assert_eq!(app.pending().await, 0);
    assert_eq!(app.send(&cancelled).await.outcome(), outcome(200, "duplicate"));
    app.stop().await;
}

#[tokio::test]
async fn a_job_whose_cancellation_comes_before_its_queued_is_not_run() {
    let app = App::start().await;
    let cancelled = event_with("completed", 1, &json!({ "conclusion": "cancelled", "runner_name": "" }));
    assert_eq!(app.deliver(&cancelled).await.outcome(), outcome(202, "cancelled"));
    let late = app.deliver(&event("queued", 1)).await;
    assert_eq!(late.outcome(), outcome(200, "duplicate"));
    assert!(late.msg().contains("cancelled"), "{}", late.msg());
    assert_eq!(app.pending().await, 0);
    app.stop().await;
}

#[tokio::test]
async fn what_github_says_of_a_job_is_on_its_record() {
    let app = App::start().await;
    let progress = event_with("in_progress", 1, &json!({ "runner_id": 3, "runner_name": "gha-1-1" }));
    assert_eq!(app.deliver(&progress).await.outcome(), outcome(200, "ignored"), "of a job that is not known");
    app.deliver(&event("queued", 1)).await;

    let progress = Delivery::of(&progress);
    assert_eq!(app.send(&progress).await.outcome(), outcome(202, "noted"));
    assert_eq!(app.send(&progress).await.outcome(), outcome(200, "duplicate"));
    let completed = event_with("completed", 1, &json!({ "conclusion": "success", "runner_name": "gha-1-1" }));
    assert_eq!(app.deliver(&completed).await.outcome(), outcome(202, "noted"));

    let events = app.job(1).await.unwrap().events;
    let said: Vec<&str> =
        events.iter().map(|event| event.detail.as_str()).filter(|s| s.starts_with("GitHub:")).collect();
    assert_eq!(said, ["GitHub: in progress on runner gha-1-1", "GitHub: completed, success, on runner gha-1-1"]);
    app.stop().await;
}

#[tokio::test]
async fn a_job_that_no_pool_takes_is_ignored_and_on_record() {
    let app = App::start().await;
    let labels = app.deliver(&event_with("queued", 1, &json!({ "labels": ["self-hosted", "gpu"] }))).await;
    assert_eq!(labels.outcome(), outcome(200, "ignored"));
    assert!(labels.msg().contains("gpu"), "{}", labels.msg());
    let record = app.job(1).await.unwrap();
    assert_eq!(record.state, JobState::Unmatched);
    assert!(record.reason.contains("gpu"), "{}", record.reason);

    let walled = app.deliver(&event_with("queued", 2, &json!({ "labels": ["walled"] }))).await;
    assert_eq!(walled.outcome(), outcome(200, "ignored"));
    assert!(walled.msg().contains("does not serve octo-org/octo-repo"), "{}", walled.msg());
    assert_eq!(app.pending().await, 0);
    app.stop().await;
}

#[tokio::test]
async fn a_route_says_where_runners_register() {
    let app = App::start().await;
    let mut owned = event("queued", 1);
    owned["organization"] = json!({ "login": "octo-org" });
    let organization = Delivery::of(&owned).to("/webhook/org/docker");
    assert_eq!(app.send(&organization).await.outcome(), outcome(202, "queued"));
    assert_eq!(app.job(1).await.unwrap().scope.unwrap().to_string(), "octo-org");

    owned["workflow_job"]["id"] = json!(2);
    let target = "X-GitHub-Hook-Installation-Target-Type";
    let repository = Delivery::of(&owned).with(target, "organization").to("/webhook/repo/docker");
    assert_eq!(app.send(&repository).await.outcome(), outcome(202, "queued"));
    assert_eq!(app.job(2).await.unwrap().scope.unwrap().to_string(), "octo-org/octo-repo");

    let without = app.send(&Delivery::of(&event("queued", 3)).to("/webhook/org/docker")).await;
    assert_eq!(without.outcome(), outcome(400, "malformed"));
    let overridden = app.deliver(&event_with("queued", 4, &json!({ "labels": ["by-organization"] }))).await;
    assert_eq!(overridden.outcome(), outcome(400, "malformed"));
    assert!(overridden.msg().contains("pool by-organization"), "{}", overridden.msg());
    app.stop().await;
}

#[tokio::test]
async fn a_delivery_takes_one_command_of_redis() {
    let app = App::start().await;
    let deliver = async |id| {
        let cancelled = event_with("completed", id, &json!({ "conclusion": "cancelled" }));
        let runner = format!("gha-{}-1", id + 1);
        let on = |action| event_with(action, id + 1, &json!({ "runner_name": runner }));
        for event in [event("queued", id), cancelled, event("queued", id + 1), on("in_progress"), on("completed")] {
            app.deliver(&event).await;
        }
    };
    // By the first ones each of the server's threads has its connection, the queue knows the pool and the repository, and Redis the scripts.
    for id in 1..9 {
        deliver(2 * id).await;
    }
    let monitor = app.redis.monitor().unwrap();
    for id in 101..105 {
        deliver(2 * id).await;
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while monitor.sent().len() < 20 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sent: Vec<String> = monitor.sent().into_iter().map(|sent| sent.name).collect();
    assert_eq!(sent, ["enqueue", "cancel", "enqueue", "served", "served"].repeat(4));
    app.stop().await;
}
