//! The queue's store is away.

use std::time::{Duration, Instant};

use super::{
    app::{App, Delivery, event},
    client,
};

/// How long recovery may take.
const RECOVERY: Duration = Duration::from_secs(10);

async fn code(app: &App, path: &str) -> u16 {
    client::request(app.admin_port, "GET", path).await.code
}

/// Waits until the delivery is taken.
async fn recovered(app: &App, delivery: &Delivery) -> (u16, String) {
    let started = Instant::now();
    loop {
        let answer = app.send(delivery).await;
        if answer.code != 503 {
            return answer.outcome();
        }
        assert!(started.elapsed() < RECOVERY, "it did not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn no_delivery_is_acknowledged_while_redis_is_down_and_all_recovers_by_itself() {
    let mut app = App::start().await;
    app.deliver(&event("queued", 1)).await;
    assert_eq!((code(&app, "/livez").await, code(&app, "/readyz").await), (200, 200));

    app.redis.stop().await.unwrap();
    let delivery = Delivery::of(&event("queued", 2));
    for _ in 0..3 {
        let started = Instant::now();
        let answer = app.send(&delivery).await;
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert_eq!(answer.outcome(), (503, "unavailable".to_owned()));
        assert_eq!(answer.header("Retry-After"), Some("5"));
        assert!(!answer.msg().to_lowercase().contains("redis"), "{}", answer.msg());
    }
    assert_eq!((code(&app, "/livez").await, code(&app, "/readyz").await), (200, 503));
    assert_eq!(client::request(app.port, "GET", "/heartbeat").await.code, 200);

    app.redis.restart().await.unwrap();
    assert_eq!(recovered(&app, &delivery).await, (202, "queued".to_owned()));
    assert_eq!(code(&app, "/readyz").await, 200);
    assert_eq!(app.pending().await, 2);
    app.stop().await;
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_503_in_time_and_the_job_is_stored_once() {
    let mut app = App::start().await;
    app.deliver(&event("queued", 1)).await;

    app.redis.freeze().unwrap();
    let delivery = Delivery::of(&event("queued", 2));
    let started = Instant::now();
    let (answer, ready) = tokio::join!(app.send(&delivery), code(&app, "/readyz"));
    assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
    assert_eq!((answer.outcome(), ready), ((503, "unavailable".to_owned()), 503));

    app.redis.thaw().unwrap();
    let (code, status) = recovered(&app, &delivery).await;
    assert!(matches!((code, status.as_str()), (202, "queued") | (200, "duplicate")), "{code} {status}");
    assert_eq!(app.pending().await, 2);
    app.stop().await;
}

#[tokio::test]
async fn while_hundreds_wait_for_the_queue_each_is_told_in_time_and_others_are_served() {
    let mut app = App::start().await;
    app.deliver(&event("queued", 1)).await;
    app.redis.freeze().unwrap();
    let started = Instant::now();
    let to = &app;
    let deliver = |id| async move { to.deliver(&event("queued", id)).await };
    let deliveries = futures_util::future::join_all((2..402).map(deliver));
    let other = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        (client::request(app.port, "GET", "/heartbeat").await.code, started.elapsed())
    };
    let (answers, (other, elapsed)) = tokio::join!(deliveries, other);
    assert!(answers.iter().all(|answer| answer.code == 503), "{answers:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(other == 200 && elapsed < Duration::from_millis(1500), "{other} after {elapsed:?}");
    app.redis.thaw().unwrap();
    assert_eq!(recovered(&app, &Delivery::of(&event("waiting", 2))).await.0, 200);
    app.stop().await;
}
