//! Where jobs come from: the queue is told, once.

use serde_json::json;
use shared::model::{HookTarget, Origin, RegisterAt};

use super::{
    app::{App, Delivery, event, event_with},
    jobs::outcome,
};

#[tokio::test]
async fn the_repositories_of_our_jobs_are_remembered_with_their_hooks_and_no_others() {
    let app = App::start().await;
    let mut owned = event("queued", 1);
    owned["organization"] = json!({ "login": "octo-org" });
    owned["installation"] = json!({ "id": 5 });
    let delivery = Delivery::of(&owned)
        .with("X-GitHub-Hook-Installation-Target-Type", "integration")
        .and("X-GitHub-Hook-ID", "77");
    assert_eq!(app.send(&delivery).await.outcome(), outcome(202, "queued"));
    let mut elsewhere = event_with("queued", 2, &json!({ "labels": ["ubuntu-latest"] }));
    elsewhere["repository"]["full_name"] = json!("octo-org/elsewhere");
    assert_eq!(app.deliver(&elsewhere).await.outcome(), outcome(200, "ignored"));

    let origin = Origin {
        repository: "octo-org/octo-repo".parse().unwrap(),
        organization: Some("octo-org".to_owned()),
        enterprise: None,
        installation: Some(5),
        target: HookTarget::App,
        hook: Some(77),
        register_at: RegisterAt::HookTarget,
    };
    assert_eq!(app.queue.seen().await.unwrap().origins, [origin]);
    app.stop().await;
}

/// A delivery costs one call of the queue, and a second one only where it has news.
#[tokio::test]
async fn the_queue_is_told_where_jobs_come_from_only_if_that_is_news() {
    let app = App::start().await;
    assert_eq!(app.deliver(&event("queued", 1)).await.outcome(), outcome(202, "queued"));
    app.redis.flush().unwrap();
    for id in 2..5 {
        assert_eq!(app.deliver(&event("queued", id)).await.outcome(), outcome(202, "queued"));
    }
    assert!(app.queue.seen().await.unwrap().origins.is_empty(), "it was told before");
    let by_another_hook = Delivery::of(&event("queued", 5)).and("X-GitHub-Hook-ID", "78");
    assert_eq!(app.send(&by_another_hook).await.outcome(), outcome(202, "queued"));
    assert_eq!(app.queue.seen().await.unwrap().origins[0].hook, Some(78));
    app.stop().await;
}
