//! What whoever compares the queue with GitHub learns of it, and keeps in it.

use std::time::Duration;

use shared::{
    model::JobState,
    queue::{Memo, Redelivery, Settlement, Standing, Unmatched},
};
use tokio::time::sleep;

use crate::{
    crossover::{done, others, serve, started},
    support::{TestQueue, job, message, pool, worker},
};

const HOLD: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn one_worker_has_the_turn_and_another_once_it_falls_silent() {
    let test = TestQueue::new().await;
    let (queue, one, other) = (&test.queue, worker("one"), worker("other"));
    assert!(queue.take_turn(&one, HOUR).await.unwrap());
    assert!(!queue.take_turn(&other, HOUR).await.unwrap() && !queue.take_turn(&one, HOUR).await.unwrap());
    assert!(queue.keep_turn(&one, HOLD).await.unwrap() && !queue.keep_turn(&other, HOUR).await.unwrap());
    sleep(2 * HOLD).await;
    assert!(!queue.keep_turn(&one, HOUR).await.unwrap(), "it was silent for too long");
    assert!(queue.take_turn(&other, HOUR).await.unwrap());
    queue.end_turn(&one, Duration::from_millis(1)).await.unwrap();
    assert!(!queue.take_turn(&one, HOUR).await.unwrap(), "it is the other's");
    queue.end_turn(&other, HOLD).await.unwrap();
    assert!(!queue.take_turn(&one, HOUR).await.unwrap(), "there is a pause");
    sleep(2 * HOLD).await;
    assert!(queue.take_turn(&one, HOUR).await.unwrap());
}

#[tokio::test]
async fn what_was_put_down_is_there_until_it_is_crossed_out() {
    let test = TestQueue::new().await;
    for (item, number) in [("octo 1", 1), ("octo 2", 2), ("octo 2", 3)] {
        test.queue.put_down(Memo::Offline, item, number).await.unwrap();
    }
    test.queue.put_down(Memo::ScopeLooks, "octo", 4).await.unwrap();
    let memos = test.queue.memos(Memo::Offline).await.unwrap();
    assert_eq!(memos, [("octo 1".to_owned(), 1), ("octo 2".to_owned(), 3)].into());
    test.queue.cross_out(Memo::Offline, &["octo 1".to_owned(), "octo 9".to_owned()]).await.unwrap();
    test.queue.cross_out(Memo::Offline, &[]).await.unwrap();
    assert_eq!(test.queue.memos(Memo::Offline).await.unwrap(), [("octo 2".to_owned(), 3)].into());
    assert_eq!(test.queue.memos(Memo::ScopeLooks).await.unwrap().len(), 1);

    let delivery = "guid".parse().unwrap();
    assert_eq!(test.queue.redelivery(&delivery).await.unwrap(), None);
    let asked = Redelivery { attempt: 90_000_000_001, times: 2 };
    test.queue.redelivery_asked(&delivery, asked).await.unwrap();
    sleep(HOLD).await;
    let (known, ago) = test.queue.redelivery(&delivery).await.unwrap().unwrap();
    assert!(known == asked && ago >= HOLD && ago < HOUR, "{known:?} {ago:?}");
}

#[tokio::test]
async fn how_jobs_stand_is_told_of_those_that_are_known() {
    let test = TestQueue::new().await;
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    test.queue.settle(started(&test, "a").await, done()).await.unwrap();
    let idle = Settlement::Idle { detail: "it found no job".to_owned() };
    test.queue.settle(started(&test, "a").await, idle).await.unwrap();
    let unmatched = Unmatched {
        job_id: job(4),
        repository: message(4).repository.unwrap(),
        labels: "gpu".parse().unwrap(),
        delivery: "guid".parse().unwrap(),
        reason: "no_matching_pool",
        detail: "no pool".to_owned(),
    };
    test.queue.record_unmatched(&unmatched).await.unwrap();

    let all: Vec<_> = (1..=5).map(job).collect();
    let standing = test.queue.standing(&all).await.unwrap();
    for id in 1..=2 {
        assert!(matches!(standing[&job(id)], Standing { state: JobState::Done, done: Some(ago) } if ago < HOUR));
    }
    assert_eq!(standing[&job(3)].state, JobState::Pending);
    assert_eq!(standing[&job(4)].state, JobState::Unmatched);
    assert!(!standing.contains_key(&job(5)));
    assert!(test.queue.standing(&[]).await.unwrap().is_empty());

    // Pools may have changed: what one has of it counts.
    test.enqueue(4).await;
    assert_eq!(test.queue.standing(&all).await.unwrap()[&job(4)].state, JobState::Pending);
    // What was cancelled, or another's runner had, GitHub has in its queue no more.
    test.queue.cancel(&pool(), job(2), None, "enough").await.unwrap();
    serve(&test, 1, others(9), true).await;
    let standing = test.queue.standing(&all).await.unwrap();
    assert_eq!((standing[&job(1)].done, standing[&job(2)].done), (None, None));
}

#[tokio::test]
async fn a_job_that_github_has_in_its_queue_is_opened_again_though_its_runner_did_some_work() {
    let test = TestQueue::new().await;
    let missed = async |id| test.queue.missed(&pool(), job(id)).await.unwrap();
    for id in 1..=5 {
        test.enqueue(id).await;
    }
    let lease = started(&test, "a").await;
    assert!(!missed(1).await && !missed(2).await && !missed(9).await, "they have a worker, wait, are not known");
    test.queue.settle(lease, done()).await.unwrap();
    test.queue.settle(started(&test, "a").await, Settlement::Idle { detail: "no job".to_owned() }).await.unwrap();
    assert!(!missed(2).await, "another delivery opens it again");
    test.queue.settle(started(&test, "a").await, done()).await.unwrap();
    serve(&test, 3, others(9), true).await;
    test.queue.settle(started(&test, "a").await, done()).await.unwrap();
    test.queue.cancel(&pool(), job(4), None, "enough").await.unwrap();
    assert!(!missed(3).await && !missed(4).await, "another's runner had it, and it was cancelled");

    assert!(missed(1).await && !missed(1).await);
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Pending);
    assert!(record.events.iter().any(|event| event.what == "reopened"), "{record:#?}");
    // It is next, and what is heard of the other one after all is of no account any more.
    let again = test.reserve("a").await;
    assert_eq!((again.job_id(), again.id().attempt), (job(1), 2));
    serve(&test, 9, others(1), true).await;
    assert_eq!(test.queue.job(job(1)).await.unwrap().unwrap().state, JobState::Starting);
}

#[tokio::test]
async fn live_jobs_are_those_that_wait_or_have_a_worker_and_have_for_long() {
    let test = TestQueue::new().await;
    for id in 1..=4 {
        test.enqueue(id).await;
    }
    test.queue.settle(started(&test, "a").await, done()).await.unwrap();
    let retry = Settlement::Retry { delay: HOUR, error: "no".to_owned() };
    test.queue.settle(test.reserve("a").await, retry).await.unwrap();
    let _running = started(&test, "a").await;
    sleep(HOLD).await;
    test.enqueue(5).await;

    let mut live = test.queue.live_jobs(HOLD).await.unwrap();
    live.sort_by_key(|job| job.id);
    let states: Vec<_> = live.iter().map(|job| (job.id.get(), job.state)).collect();
    assert_eq!(states, [(2, JobState::Delayed), (3, JobState::Running), (4, JobState::Pending)]);
    assert!(
        live.iter()
            .all(|job| job.pool == pool() && Some(&job.repository) == message(1).repository.as_ref() && job.age > HOLD)
    );
    assert_eq!(test.queue.live_jobs(HOUR).await.unwrap(), []);
}

#[tokio::test]
async fn a_runner_is_held_while_a_lease_stands_behind_it_whichever_job_it_has() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let held = async |id, attempt| test.queue.is_held(job(id), attempt).await.unwrap();
    assert!(!held(2, 1).await, "it waits");
    let lease = started(&test, "a").await;
    assert!(held(2, 1).await && !held(2, 2).await && !held(3, 1).await);
    test.enqueue(1).await;
    serve(&test, 1, others(2), false).await;
    assert!(held(2, 1).await, "it works on another job, and its own waits again");
    let second = test.reserve("b").await;
    assert!(held(2, 1).await && held(2, 2).await);
    test.queue.settle(lease, done()).await.unwrap();
    assert!(!held(2, 1).await && held(2, 2).await);
    test.queue.settle(second, done()).await.unwrap();
    assert!(!held(2, 2).await);
}
