//! How leases end, and what is on the record then.

use std::time::Duration;

use shared::{
    model::JobState,
    queue::{Enqueued, JobRecord, Progress, QueueError, Reserved, Settlement, What},
};
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use crate::support::{TestQueue, job, message, pool, worker};

fn retry() -> Settlement {
    Settlement::Retry { delay: Duration::ZERO, error: "the engine said no".to_owned() }
}

#[tokio::test]
async fn a_failed_attempt_is_charged_and_the_last_makes_a_dead_letter_with_its_reason() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;

    for attempt in 1..=3 {
        let lease = test.reserve("a").await;
        assert_eq!(lease.attempts, attempt - 1);
        let state = test.queue.settle(lease, retry()).await.unwrap();
        assert_eq!(state, if attempt < 3 { JobState::Delayed } else { JobState::Dead });
    }

    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempts), (JobState::Dead, 3));
    assert_eq!(record.error.as_deref(), Some("the engine said no (attempt 3 of 3)"));
    assert!(record.ended_at.is_some());
    assert_eq!(test.queue.status().await.unwrap().pools[0].dead, 1);
}

#[tokio::test]
async fn a_delayed_job_waits_for_its_time() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;
    let delay = Duration::from_millis(400);
    test.queue.settle(lease, Settlement::Retry { delay, error: "no".to_owned() }).await.unwrap();

    let Reserved::Empty { next_due: Some(due) } = test.try_reserve("a").await else { panic!("not delayed") };
    assert!(due <= delay, "{due:?}");
    sleep(delay).await;
    test.reserve("a").await;
}

#[tokio::test]
async fn what_is_not_the_jobs_fault_charges_no_attempt() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;

    for _ in 0..5 {
        let lease = test.reserve("a").await;
        assert_eq!((lease.job_id(), lease.attempts), (job(1), 0), "it is still the first of its scope");
        let reason = "Docker is away".to_owned();
        let state = test.queue.settle(lease, Settlement::Release { delay: Duration::ZERO, reason }).await.unwrap();
        assert_eq!(state, JobState::Pending);
    }
}

#[tokio::test]
async fn a_dead_letter_is_made_at_once_of_what_cannot_succeed() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;
    let error = "GitHub: Bad credentials".to_owned();
    assert_eq!(test.queue.settle(lease, Settlement::Dead { error }).await.unwrap(), JobState::Dead);
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.error.as_deref(), Some("GitHub: Bad credentials"));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_becomes_a_dead_letter_and_the_next_job_is_served() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    test.command("HSET gha:{default}:job:1 msg nonsense").await;

    let error = test.queue.reserve(&pool(), &worker("a")).await.unwrap_err();
    assert!(matches!(&error, QueueError::Corrupt { id, .. } if id == "1"), "{error}");
    assert_eq!(test.reserve("a").await.job_id(), job(2));
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Dead);
    assert!(record.error.unwrap().starts_with("corrupt: "));
}

#[tokio::test]
async fn nothing_starts_while_github_says_wait() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.queue.pause(&[pool()], Duration::from_millis(400), "GitHub's rate limit").await.unwrap();

    let Reserved::Paused(left) = test.try_reserve("a").await else { panic!("not paused") };
    assert!(left <= Duration::from_millis(400));
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert!(record.reason.starts_with("waiting until 20"), "{}", record.reason);
    assert!(record.reason.ends_with("Z: GitHub's rate limit"), "{}", record.reason);
    sleep(left).await;
    test.reserve("a").await;
}

/// By the store's clock, through leap years and into the next century.
#[tokio::test]
async fn the_record_of_a_job_that_waits_says_until_when() {
    let test = TestQueue::new().await;
    for (days, id) in [0, 1, 93, 200, 365, 458, 459, 460, 500, 824, 1461, 30_000, 146_097].into_iter().zip(1..) {
        test.enqueue(id).await;
        let lease = test.reserve("a").await;
        let delay = Duration::from_secs(86_400 * days + 3723);
        let reason = "GitHub's rate limit".to_owned();
        test.queue.settle(lease, Settlement::Release { delay, reason }).await.unwrap();
        let record = test.queue.job(job(id)).await.unwrap().unwrap();
        let until = (record.events.last().unwrap().at + delay).truncate_to_second().format(&Rfc3339).unwrap();
        assert_eq!((record.state, record.attempts), (JobState::Delayed, 0));
        assert_eq!(record.reason, format!("waiting: until {until}: GitHub's rate limit"));
    }
}

#[tokio::test]
async fn everything_that_happened_is_on_the_record_in_order() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let mut lease = test.reserve("a").await;
    let runner = "gha-1-1".parse().unwrap();
    lease.happened(What::Registered, "runner 5");
    test.queue.progress(&mut lease, Progress { runner: Some(&runner), ..Progress::default() }).await.unwrap();
    lease.happened(What::Created, "container abc");
    sleep(Duration::from_millis(50)).await;
    lease.happened(What::Started, "");
    test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    lease.happened(What::Removed, "");
    test.queue.settle(lease, Settlement::Done { detail: "job build: Succeeded".to_owned() }).await.unwrap();

    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    let story: Vec<&str> = record.events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(story, ["delivered", "reserved", "registered", "created", "started", "removed", "done"]);
    let [created, started] = [record.events[3].at, record.events[4].at];
    assert!(started - created >= Duration::from_millis(40), "each event has its own time");
    assert_eq!(record.runner, Some(runner));
    assert_eq!(record.worker, Some(worker("a")));
    assert_eq!(record.reason, "done: job build: Succeeded");
}

#[tokio::test]
async fn a_record_keeps_its_delivery_and_the_newest_events() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    for _ in 0..60 {
        let lease = test.reserve("a").await;
        let reason = String::new();
        test.queue.settle(lease, Settlement::Release { delay: Duration::ZERO, reason }).await.unwrap();
    }
    let story = test.story(1).await;
    assert_eq!(story.len(), 1 + JobRecord::EVENTS_MAX);
    assert_eq!(story.first().map(String::as_str), Some("delivered"));
    assert_eq!(story.last().map(String::as_str), Some("waiting"));
}

#[tokio::test]
async fn a_job_whose_runner_found_none_gets_another_when_it_is_delivered_again() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let idle = Settlement::Idle { detail: "the runner found no job and was retired".to_owned() };
    let lease = test.reserve("a").await;
    assert_eq!(test.queue.settle(lease, idle.clone()).await.unwrap(), JobState::Done);
    assert_eq!(test.queue.enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateDelivery, "it is what came before");

    let mut again = message(1);
    again.delivery = "after-its-approval".parse().unwrap();
    assert_eq!(test.queue.enqueue(&again).await.unwrap(), Enqueued::Stored);
    let lease = test.reserve("a").await;
    assert_eq!(lease.attempts, 0);
    assert_eq!(test.queue.settle(lease, Settlement::Done { detail: String::new() }).await.unwrap(), JobState::Done);
    again.delivery = "by-hand".parse().unwrap();
    assert_eq!(test.queue.enqueue(&again).await.unwrap(), Enqueued::DuplicateJob(JobState::Done), "it has run");
}

#[tokio::test]
async fn a_job_that_was_cancelled_is_not_done_when_its_runner_found_none() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;
    test.queue.cancel(&pool(), job(1), None, "cancelled at GitHub").await.unwrap();
    let idle = Settlement::Idle { detail: String::new() };
    assert_eq!(test.queue.settle(lease, idle).await.unwrap(), JobState::Cancelled);
}

#[tokio::test]
async fn demand_is_what_waits_in_a_scope_and_not_what_was_cancelled() {
    let test = TestQueue::new().await;
    let demand = async |scope: &str| test.queue.has_demand(&pool(), &scope.parse().unwrap()).await.unwrap();
    test.enqueue(1).await;
    test.enqueue(2).await;
    assert!(demand("octo/repo").await && !demand("octo/other").await);
    test.queue.cancel(&pool(), job(1), None, "").await.unwrap();
    assert!(demand("octo/repo").await);
    let lease = test.reserve("a").await;
    assert!(!demand("octo/repo").await);
    let delay = Duration::from_mins(1);
    test.queue.settle(lease, Settlement::Retry { delay, error: "no".to_owned() }).await.unwrap();
    assert!(demand("octo/repo").await, "it waits for its next attempt");
    test.queue.cancel(&pool(), job(2), None, "").await.unwrap();
    assert!(!demand("octo/repo").await);
}

#[tokio::test]
async fn a_shorter_pause_leaves_a_longer_one() {
    let test = TestQueue::new().await;
    let pause =
        async |seconds| test.queue.pause(&[pool()], Duration::from_secs(seconds), "GitHub says so").await.unwrap();
    for seconds in [5, 50, 20] {
        pause(seconds).await;
    }
    let Reserved::Paused(left) = test.try_reserve("a").await else { panic!("it is not paused") };
    assert!(left > Duration::from_secs(40), "{left:?}");
}
