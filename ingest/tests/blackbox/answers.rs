//! What is no job: the rows of the table of answers that say so.

use serde_json::json;

use super::{
    app::{App, Delivery, event, event_with},
    client,
};

#[tokio::test]
async fn the_heartbeat_answers() {
    let app = App::start().await;
    assert_eq!(client::request(app.port, "GET", "/heartbeat").await.outcome(), (200, "ok".to_owned()));
    assert_eq!(client::request(app.port, "HEAD", "/heartbeat").await.code, 200);
    app.stop().await;
}

#[tokio::test]
async fn a_wrong_method_is_405_and_an_unknown_path_404() {
    let app = App::start().await;
    for (path, allowed) in [
        ("/webhook", "POST"),
        ("/webhook/repo/docker", "POST"),
        ("/webhook/org/docker", "POST"),
        ("/heartbeat", "GET, HEAD"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", if allowed == "POST" { "GET" } else { "POST" }] {
            let answer = client::request(app.port, method, path).await;
            assert_eq!(answer.outcome(), (405, "method_not_allowed".to_owned()), "{method} {path}");
            assert_eq!(answer.header("Allow"), Some(allowed), "{method} {path}");
        }
    }
    for path in ["/", "/webhook/", "/webhook/repo", "/metrics", "/livez", "/readyz", "/webhook/../metrics", "/%00"] {
        assert_eq!(client::request(app.port, "GET", path).await.outcome(), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(app.send(&Delivery::of(&event("queued", 1)).to("/webhooks")).await.code, 404);
    app.stop().await;
}

#[tokio::test]
async fn a_ping_is_answered_with_pong() {
    let app = App::start().await;
    let ping =
        Delivery::of(&json!({ "zen": "Keep it logically awesome.", "hook_id": 1 })).with("X-GitHub-Event", "ping");
    assert_eq!(app.send(&ping).await.outcome(), (200, "pong".to_owned()));
    app.stop().await;
}

#[tokio::test]
async fn another_event_is_ignored() {
    let app = App::start().await;
    for name in ["workflow_run", "push", "something_new"] {
        let answer = app.send(&Delivery::of(&json!({ "action": "queued" })).with("X-GitHub-Event", name)).await;
        assert_eq!(answer.outcome(), (200, "ignored".to_owned()), "{name}");
    }
    let unknown = app.deliver(&event("teleported", 1)).await;
    assert_eq!(unknown.outcome(), (200, "ignored".to_owned()));
    app.stop().await;
}

#[tokio::test]
async fn a_signed_body_that_is_no_event_is_400() {
    let app = App::start().await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    for body in ["", "{", "[]", "null", "{}", r#"{"action":"queued"}"#, &deep] {
        let answer = app.send(&Delivery::of_bytes(body)).await;
        assert_eq!(answer.outcome(), (400, "malformed".to_owned()), "{body:.20}");
    }
    assert_eq!(app.send(&Delivery::of_bytes([0xff, 0xfe, 0x00])).await.code, 400);
    let labels = app.deliver(&event_with("queued", 1, &json!({ "labels": ["a,b"] }))).await;
    assert_eq!(labels.outcome(), (400, "malformed".to_owned()));
    app.stop().await;
}

#[tokio::test]
async fn a_header_that_every_delivery_has_is_demanded_by_name() {
    let app = App::start().await;
    let good = Delivery::of(&event("queued", 1));
    let mut odd = Vec::new();
    for name in ["X-GitHub-Event", "X-GitHub-Delivery"] {
        odd.extend([
            (name, good.clone().without(name)),
            (name, good.clone().with(name, "")),
            (name, good.clone().with(name, b"\xc3\xa9".as_slice())),
            (name, good.clone().and(name, "again")),
        ]);
    }
    for value in ["not a guid".to_owned(), "x".repeat(65)] {
        odd.push(("X-GitHub-Delivery", good.clone().with("X-GitHub-Delivery", value)));
    }
    for (name, delivery) in odd {
        let answer = app.send(&delivery).await;
        assert_eq!(answer.outcome(), (400, "malformed".to_owned()), "{name}");
        assert!(answer.msg().contains(name), "{}", answer.msg());
    }
    assert_eq!(app.pending().await, 0);
    app.stop().await;
}

#[tokio::test]
async fn a_content_type_that_no_hook_has_is_415() {
    let app = App::start().await;
    let good = Delivery::of(&event("queued", 1));
    for odd in [
        good.clone().without("Content-Type"),
        good.clone().with("Content-Type", "text/plain"),
        good.clone().with("Content-Type", "application/jsonp"),
        good.clone().with("Content-Type", "multipart/form-data; boundary=x"),
        good.clone().and("Content-Type", "application/json"),
    ] {
        assert_eq!(app.send(&odd).await.outcome(), (415, "unsupported".to_owned()));
    }
    for fine in ["application/json; charset=utf-8", "Application/JSON;x=y"] {
        assert!(app.send(&good.clone().with("Content-Type", fine)).await.code < 300, "{fine}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_counted_is_there_from_the_start() {
    let app = App::start().await;
    for decision in ["queued", "cancelled", "noted", "duplicate", "ignored", "pong", "unauthorized", "malformed"] {
        let name = format!("autoscaler_deliveries_total{{decision=\"{decision}\"}}");
        assert_eq!(app.metric(&name).await, Some(0.0), "{name}");
    }
    app.deliver(&event("queued", 1)).await;
    assert_eq!(app.metric(r#"autoscaler_deliveries_total{decision="queued"}"#).await, Some(1.0));
    assert_eq!(app.metric("autoscaler_delivery_seconds_count").await, Some(1.0));
    app.stop().await;
}
