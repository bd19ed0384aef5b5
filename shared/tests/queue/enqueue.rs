//! How jobs come in, and how GitHub takes them back.

use futures_util::future::join_all;
use shared::{
    model::{JobMessage, JobState, PoolName},
    queue::{Announcement, CancelOutcome, Enqueued, Noted, Reserved, Settlement, Unmatched},
};

use crate::support::{LEASE, TestQueue, job, message, pool, worker};

#[tokio::test]
async fn a_job_is_stored_once_however_often_and_by_whatever_delivery_it_comes() {
    let test = TestQueue::new().await;

    assert_eq!(test.queue.enqueue(&message(1)).await.unwrap(), Enqueued::Stored);
    assert_eq!(test.queue.enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateDelivery);
    let mut again = message(1);
    again.delivery = "another".parse().unwrap();
    assert_eq!(test.queue.enqueue(&again).await.unwrap(), Enqueued::DuplicateJob(JobState::Pending));

    assert_eq!(test.queue.status().await.unwrap().pools[0].pending, 1);
    let lease = test.reserve("a").await;
    assert_eq!(lease.job, message(1));
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { next_due: None }));
}

#[tokio::test]
async fn jobs_leave_in_the_order_in_which_they_came_and_scopes_take_turns() {
    let test = TestQueue::new().await;
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    let mut other = message(4);
    other.scope = "octo/quiet".parse().unwrap();
    test.queue.enqueue(&other).await.unwrap();

    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(test.reserve("a").await.job_id().get());
    }
    assert_eq!(order, [1, 4, 2, 3]);
}

#[tokio::test]
async fn jobs_that_come_together_are_stored_as_if_they_had_come_one_by_one() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let again = |id, guid: &str| JobMessage { delivery: guid.parse().unwrap(), ..message(id) };
    let quiet = JobMessage { scope: "octo/quiet".parse().unwrap(), ..message(4) };
    let jobs = [message(2), message(1), again(1, "another"), message(3), quiet, message(3), again(2, "one-more")];

    let became = test.queue.enqueue_all(&pool(), &jobs).await.unwrap();
    let known = Enqueued::DuplicateJob(JobState::Pending);
    let (stored, delivered) = (Enqueued::Stored, Enqueued::DuplicateDelivery);
    assert_eq!(became, [stored, delivered, known, stored, stored, delivered, known]);
    assert_eq!(test.story(2).await, ["delivered", "noted"]);

    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(test.reserve("a").await.job_id().get());
    }
    assert_eq!(order, [1, 4, 2, 3]);
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { next_due: None }));
}

#[tokio::test]
async fn ten_jobs_of_a_quiet_repository_behind_ten_thousand_of_a_noisy_one_are_among_the_first_twenty() {
    let test = TestQueue::new().await;
    for noisy in (1..=10_000).collect::<Vec<u64>>().chunks(100) {
        join_all(noisy.iter().map(|id| test.enqueue(*id))).await;
    }
    for id in 10_001..=10_010 {
        let mut quiet = message(id);
        quiet.scope = "octo/quiet".parse().unwrap();
        test.queue.enqueue(&quiet).await.unwrap();
    }

    let mut quiet = 0;
    for _ in 0..20 {
        quiet += u32::from(test.reserve("a").await.job_id().get() > 10_000);
    }
    assert_eq!(quiet, 10);
}

#[tokio::test]
async fn a_job_that_was_cancelled_before_it_started_is_never_started() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    let guid = "cancel-1".parse().unwrap();

    let outcome = test.queue.cancel(&pool(), job(1), Some(&guid), "cancelled at GitHub").await.unwrap();
    assert_eq!(outcome, CancelOutcome::Cancelled);
    let outcome = test.queue.cancel(&pool(), job(1), Some(&guid), "cancelled at GitHub").await.unwrap();
    assert_eq!(outcome, CancelOutcome::DuplicateDelivery);
    let outcome = test.queue.cancel(&pool(), job(1), None, "cancelled at GitHub").await.unwrap();
    assert_eq!(outcome, CancelOutcome::Ended(JobState::Cancelled));

    assert_eq!(test.reserve("a").await.job_id(), job(2));
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
    assert_eq!(test.state(1).await, Some(JobState::Cancelled));
}

#[tokio::test]
async fn a_job_whose_cancellation_came_before_its_queued_is_not_run() {
    let test = TestQueue::new().await;

    let outcome = test.queue.cancel(&pool(), job(1), None, "cancelled at GitHub").await.unwrap();
    assert_eq!(outcome, CancelOutcome::Tombstone);
    assert_eq!(test.queue.enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateJob(JobState::Cancelled));
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn a_worker_learns_at_its_next_beat_that_its_job_was_cancelled_and_a_failed_attempt_is_the_last() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;

    let outcome = test.queue.cancel(&pool(), job(1), None, "cancelled at GitHub").await.unwrap();
    assert_eq!(outcome, CancelOutcome::Flagged);
    let beat = test.queue.beat(&pool(), &[lease.id()]).await.unwrap();
    assert_eq!(beat.cancelled, [lease.id()]);
    let retry = Settlement::Retry { delay: std::time::Duration::ZERO, error: "no".to_owned() };
    assert_eq!(test.queue.settle(lease, retry).await.unwrap(), JobState::Cancelled);
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn what_github_says_of_a_job_is_on_its_record_once() {
    let test = TestQueue::new().await;
    let guid = "note-1".parse().unwrap();

    assert_eq!(test.queue.note(&pool(), job(1), &guid, "in progress").await.unwrap(), Noted::Unknown);
    test.enqueue(1).await;
    assert_eq!(test.queue.note(&pool(), job(1), &guid, "in progress").await.unwrap(), Noted::Recorded);
    assert_eq!(test.queue.note(&pool(), job(1), &guid, "in progress").await.unwrap(), Noted::DuplicateDelivery);
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.events.iter().filter(|event| event.what == "noted").count(), 1);
}

#[tokio::test]
async fn a_job_is_found_in_the_pool_it_came_to_even_if_it_would_go_to_another_today() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\n[[pool]]\nname = \"other\"").await;
    test.enqueue(1).await;
    let other = "other".parse().unwrap();

    let noted = test.queue.note(&other, job(1), &"guid-note".parse().unwrap(), "in progress").await.unwrap();
    assert_eq!(noted, Noted::Recorded);
    let outcome = test.queue.cancel(&other, job(1), None, "cancelled at GitHub").await.unwrap();
    assert_eq!(outcome, CancelOutcome::Cancelled);
}

#[tokio::test]
async fn a_job_that_no_pool_takes_stays_on_record_with_the_reason() {
    let test = TestQueue::new().await;
    let unmatched = Unmatched {
        job_id: job(1),
        repository: "octo/repo".parse().unwrap(),
        labels: "gpuu".parse().unwrap(),
        delivery: "guid-1".parse().unwrap(),
        reason: "no_matching_pool",
        detail: "no pool covers gpuu".to_owned(),
    };
    test.queue.record_unmatched(&unmatched).await.unwrap();

    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Unmatched);
    assert_eq!(record.pool, None);
    assert_eq!(record.labels, unmatched.labels);
    assert_eq!(record.repository, Some(unmatched.repository));
    assert!(record.reason.contains("no pool covers gpuu"));
    // Once a pool takes it, it is run.
    test.enqueue(1).await;
    assert_eq!(test.state(1).await, Some(JobState::Pending));
}

#[tokio::test]
async fn a_pending_job_says_what_it_waits_for() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 1").await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    let _lease = test.reserve("a").await;

    let record = test.queue.job(job(2)).await.unwrap().unwrap();
    assert_eq!(record.reason, "waiting for a slot: pool default has 1 of 1 runners");
}

#[tokio::test]
async fn a_waiting_job_says_whether_a_worker_is_there_that_could_start_it() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let reason = async || test.queue.job(job(1)).await.unwrap().unwrap().reason;
    let announce = async |name: &str, pool: PoolName, problem: Option<&str>| {
        let problem = problem.map(str::to_owned);
        let said = Announcement { capacity: 1, runners: 0, pools: vec![pool], problem };
        test.queue.announce(&worker(name), said).await.unwrap();
    };

    announce("elsewhere", "other".parse().unwrap(), None).await;
    assert_eq!(reason().await, "waiting for a worker: none that serves pool default is there");
    announce("a", pool(), Some("the engine is away")).await;
    assert_eq!(reason().await, "waiting for a worker: a cannot start a runner: the engine is away");
    announce("b", pool(), None).await;
    assert_eq!(reason().await, "waiting for its turn, or for a worker with a free slot");

    tokio::time::sleep(LEASE).await;
    assert_eq!(reason().await, "waiting for a worker: none that serves pool default is there", "they fell silent");
}
