//! Where jobs come from, as whoever takes deliveries has it remembered.

use redis::{Value, cmd};
use shared::model::{HookTarget, Origin, RegisterAt};

use crate::support::TestQueue;

fn origin(repository: &str, hook: u64) -> Origin {
    Origin {
        repository: repository.parse().unwrap(),
        organization: Some("octo-org".to_owned()),
        enterprise: None,
        installation: Some(5),
        target: HookTarget::App,
        hook: Some(hook),
        register_at: RegisterAt::HookTarget,
    }
}

#[tokio::test]
async fn a_repository_is_remembered_as_it_was_told_of_last() {
    let test = TestQueue::new().await;
    for seen in [origin("octo-org/one", 1), origin("octo-org/two", 1), origin("Octo-Org/One", 2)] {
        test.queue.remember(&seen).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await; // in this order, by the store's clock
    }
    let seen = test.queue.seen().await.unwrap();
    assert_eq!(seen.origins, [origin("Octo-Org/One", 2), origin("octo-org/two", 1)]);
    test.queue.forget(&seen).await.unwrap();
    assert_eq!(test.queue.seen().await.unwrap(), seen, "there was nothing to forget");
}

#[tokio::test]
async fn what_was_told_of_long_ago_or_cannot_be_read_is_forgotten() {
    let test = TestQueue::new().await;
    test.queue.remember(&origin("octo-org/one", 1)).await.unwrap();
    let mut told: serde_json::Value = serde_json::to_value(origin("octo-org/old", 1)).unwrap();
    told["at"] = serde_json::json!(1_700_000_000_000_u64);
    for (field, text) in [("octo-org/old", told.to_string()), ("octo-org/odd", "{}".to_owned())] {
        let write = cmd("HSET").arg("gha:{gha:reconcile}:seen").arg(field).arg(text).to_owned();
        let _new: Value = test.queue.command(&write).await.unwrap();
    }
    let seen = test.queue.seen().await.unwrap();
    assert_eq!(seen.origins, [origin("octo-org/one", 1)]);
    test.queue.forget(&seen).await.unwrap();
    let left: Vec<String> = test.queue.command(cmd("HGETALL").arg("gha:{gha:reconcile}:seen")).await.unwrap();
    assert_eq!(left.len(), 2, "one field and its value: {left:?}");
}

#[tokio::test]
async fn what_is_remembered_goes_along_to_another_store() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    test.queue.remember(&origin("octo-org/one", 1)).await.unwrap();
    test.queue.remember(&origin("octo-org/two", 1)).await.unwrap();
    target.queue.remember(&origin("octo-org/two", 2)).await.unwrap();
    test.queue.move_to(&target.queue).await.unwrap();
    let mut hooks: Vec<_> =
        target.queue.seen().await.unwrap().origins.iter().map(|it| (it.repository.to_string(), it.hook)).collect();
    hooks.sort();
    assert_eq!(hooks, [("octo-org/one".to_owned(), Some(1)), ("octo-org/two".to_owned(), Some(2))], "it knows better");
}
