//! What a lost write or a hand in the data leaves behind is found and put right.

use std::{collections::BTreeMap, time::Duration};

use redis::Value;
use shared::{
    model::JobState,
    queue::{AuditReport, DeadLetters, Reserved, Settlement},
};
use tokio::time::sleep;

use crate::support::{TestQueue, job, pool};

const LONGEST: Duration = Duration::from_hours(23);

async fn audit(test: &TestQueue) -> AuditReport {
    test.queue.audit_now(&pool(), LONGEST, u32::MAX).await.unwrap()
}

/// A queue with a job in every state: 1 leased, 2 and 3 pending.
async fn busy() -> TestQueue {
    let test = TestQueue::new().await;
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    let _leased = test.reserve("a").await;
    test
}

#[tokio::test]
async fn an_audit_of_a_sound_queue_changes_nothing() {
    let test = busy().await;
    assert_eq!(audit(&test).await, AuditReport::default());
}

#[tokio::test]
async fn each_contradiction_is_repaired_once_and_counted() {
    for (damage, finding) in [
        ("ZREM gha:{default}:queued 2", "pending_not_queued"),
        ("DEL gha:{default}:pending:octo/repo", "queued_not_listed"),
        ("DEL gha:{default}:ring", "scope_without_turn"),
        ("ZADD gha:{default}:lease 1 77", "lease_without_job"),
        ("ZREM gha:{default}:lease 1", "job_without_lease"),
        ("DEL gha:{default}:active:octo/repo", "lease_not_counted"),
        ("SADD gha:{default}:active:octo/repo 77", "slot_without_lease"),
        ("ZADD gha:{default}:queued 1 77", "queued_without_job"),
    ] {
        let test = busy().await;
        test.command(damage).await;
        let report = audit(&test).await;
        assert!(report.repairs.contains_key(finding), "{damage}: {report:?}");
        assert_eq!(audit(&test).await.repairs, BTreeMap::new(), "{damage}");
        let mut ids = Vec::new();
        while let Reserved::Job(lease) = test.try_reserve("a").await {
            ids.push(lease.job_id().get());
        }
        ids.sort_unstable();
        assert_eq!(ids, [2, 3], "{damage}");
    }
}

#[tokio::test]
async fn a_dead_letter_and_a_delayed_job_that_were_lost_are_found() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.command("HSET gha:{default}:job:1 state dead").await;
    test.command("ZREM gha:{default}:queued 1").await;
    assert!(audit(&test).await.repairs.contains_key("dead_not_listed"));
    assert_eq!(test.queue.status().await.unwrap().pools[0].dead, 1);

    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.command("HSET gha:{default}:job:1 state delayed").await;
    test.command("ZREM gha:{default}:queued 1").await;
    assert!(audit(&test).await.repairs.contains_key("delayed_without_time"));
    test.reserve("a").await;
}

#[tokio::test]
async fn a_job_that_waited_too_long_becomes_a_dead_letter_that_says_so() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    sleep(Duration::from_millis(1200)).await;
    test.enqueue(2).await;
    let report = test.queue.audit_now(&pool(), Duration::from_secs(1), 1).await.unwrap();
    assert_eq!(report.given_up, 1);
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Dead);
    let error = record.error.unwrap();
    assert!(error.contains("longer than RUNNER_AUTOSCALE_TIMEOUT (1 s)"), "{error}");
    assert_eq!(test.reserve("a").await.job_id().get(), 2);
}

#[tokio::test]
async fn a_job_that_was_given_up_and_is_replayed_waits_behind_the_others() {
    let test = TestQueue::new().await;
    for id in 1..=2 {
        test.enqueue(id).await;
    }
    test.command("ZADD gha:{default}:queued XX 1 1").await;
    assert_eq!(audit(&test).await.given_up, 1);
    test.queue.replay(&DeadLetters::default()).await.unwrap();
    assert_eq!(test.command("LLEN gha:{default}:pending:octo/repo").await, Value::Int(2));
    assert_eq!(test.reserve("a").await.job_id(), job(2));
}

#[tokio::test]
async fn a_pool_is_audited_once_a_minute_however_many_workers_ask() {
    let test = busy().await;
    let mut audits = 0;
    for _ in 0..5 {
        audits += u32::from(test.queue.audit(&pool(), LONGEST).await.unwrap().is_some());
    }
    assert_eq!(audits, 1);
}

#[tokio::test]
async fn a_job_whose_record_is_lost_stops_neither_the_others_nor_the_audit() {
    for lost in ["DEL gha:{default}:job:1", "HDEL gha:{default}:job:1 scope msg"] {
        for state in ["pending", "dead", "starting"] {
            let test = TestQueue::new().await;
            for id in 1..=2 {
                test.enqueue(id).await;
            }
            match state {
                "starting" => drop(test.reserve("a").await),
                "dead" => {
                    let error = "no".to_owned();
                    test.queue.settle(test.reserve("a").await, Settlement::Dead { error }).await.unwrap();
                }
                _ => {}
            }
            test.command(lost).await;
            audit(&test).await;
            test.queue.replay(&DeadLetters::default()).await.unwrap();
            assert_eq!(test.reserve("a").await.job_id(), job(2), "{lost} {state}");
            assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }), "{lost} {state}");
            assert_eq!(audit(&test).await, AuditReport::default(), "{lost} {state}");
        }
    }
}
