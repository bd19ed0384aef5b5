//! What the metrics say of the queue.

use super::app::{App, event, event_with};
use serde_json::json;

const PENDING: &str = r#"autoscaler_queue_jobs{pool="default",state="pending"}"#;

#[tokio::test]
async fn a_pool_is_counted_and_reads_nothing_once_it_is_drained() {
    let app = App::start().await;
    for id in [1, 2] {
        assert_eq!(app.deliver(&event("queued", id)).await.code, 202);
    }
    assert_eq!(app.metric(PENDING).await, Some(2.0));
    assert_eq!(app.metric(r#"autoscaler_jobs_total{pool="default",what="accepted"}"#).await, Some(2.0));
    assert_eq!(app.metric(r#"autoscaler_queue_limit{pool="default"}"#).await, Some(0.0), "no worker has told it");
    assert_eq!(app.metric("autoscaler_queue_workers").await, Some(0.0));
    let never_used = r#"autoscaler_queue_jobs{pool="walled",state="pending"}"#;
    assert_eq!(app.metric(never_used).await, Some(0.0), "no job and no worker has told the queue of it");

    for id in [1, 2] {
        let cancelled = event_with("completed", id, &json!({"conclusion": "cancelled"}));
        assert_eq!(app.deliver(&cancelled).await.code, 202);
    }
    assert_eq!(app.metric(PENDING).await, Some(0.0));
    assert_eq!(app.metric(r#"autoscaler_queue_oldest_seconds{pool="default"}"#).await, Some(0.0));
    assert_eq!(app.metric(r#"autoscaler_jobs_total{pool="default",what="cancelled"}"#).await, Some(2.0));
    app.stop().await;
}

#[tokio::test]
async fn a_queue_that_is_away_has_no_old_figures() {
    let mut app = App::start().await;
    assert_eq!(app.deliver(&event("queued", 1)).await.code, 202);
    assert_eq!((app.metric("autoscaler_queue_up").await, app.metric(PENDING).await), (Some(1.0), Some(1.0)));
    app.redis.stop().await.unwrap();
    assert_eq!((app.metric("autoscaler_queue_up").await, app.metric(PENDING).await), (Some(0.0), None));
    app.stop().await;
}
