//! Limits that an operator sets while jobs wait.

use shared::queue::{LimitChange, Reserved, Settlement};

use crate::support::{TestQueue, message, parse, pool};

const POOLS: &str = "[[pool]]\nname = \"default\"\nmax_runners = 5\nmax_per_scope = 1";

#[tokio::test]
async fn a_limit_that_was_set_by_hand_counts_until_it_is_taken_back_whatever_the_settings_say() {
    let test = TestQueue::with(POOLS).await;
    test.enqueue(1).await;
    let limits = test.queue.change_limit(&pool(), &LimitChange::Pool(Some(0))).await.unwrap();
    assert_eq!((limits.max_runners, limits.configured), (Some(0), Some(5)));
    test.queue.set_limits(&parse(POOLS)).await.unwrap();
    assert!(matches!(test.try_reserve("a").await, Reserved::Full), "0 holds the pool");

    let limits = test.queue.change_limit(&pool(), &LimitChange::Pool(None)).await.unwrap();
    assert_eq!(limits.max_runners, Some(5));
    test.reserve("a").await;
}

#[tokio::test]
async fn a_limit_that_is_raised_wakes_the_scopes_that_waited_at_theirs() {
    let test = TestQueue::with(POOLS).await;
    for id in 1..=4 {
        test.enqueue(id).await;
    }
    let mut other = message(9);
    other.scope = "octo/other".parse().unwrap();
    test.queue.enqueue(&other).await.unwrap();
    let _first = [test.reserve("a").await, test.reserve("a").await];
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));

    let scope = "octo/repo".parse().unwrap();
    test.queue.change_limit(&pool(), &LimitChange::Scope(scope, Some(2))).await.unwrap();
    test.reserve("a").await;
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));

    test.queue.change_limit(&pool(), &LimitChange::EachScope(Some(3))).await.unwrap();
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }), "the scope's own counts");
    let scope = "octo/repo".parse().unwrap();
    test.queue.change_limit(&pool(), &LimitChange::Scope(scope, None)).await.unwrap();
    test.reserve("a").await;
    let limits = test.queue.limits().await.unwrap();
    assert_eq!((limits[0].max_per_scope, limits[0].configured_per_scope), (Some(3), Some(1)));
}

#[tokio::test]
async fn a_limit_below_what_is_up_starts_nothing_until_there_is_room() {
    let test = TestQueue::new().await;
    for id in 1..=4 {
        test.enqueue(id).await;
    }
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(test.reserve("a").await);
    }
    test.queue.change_limit(&pool(), &LimitChange::Pool(Some(1))).await.unwrap();
    for lease in leases {
        assert!(matches!(test.try_reserve("a").await, Reserved::Full));
        test.queue.settle(lease, Settlement::Done { detail: String::new() }).await.unwrap();
    }
    test.reserve("a").await;
}
