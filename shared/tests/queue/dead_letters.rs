//! Dead letters: found, put back, taken out.

use std::time::Duration;

use shared::{
    model::JobState,
    queue::{DeadLetters, Enqueued, Reserved, Settlement},
};

use crate::support::{TestQueue, job, message};

/// A queue whose jobs 1 to `count` are dead letters; the even ones of another scope and error.
async fn dead(count: u64) -> TestQueue {
    let test = TestQueue::new().await;
    for id in 1..=count {
        let mut message = message(id);
        if id % 2 == 0 {
            message.scope = "octo/even".parse().unwrap();
        }
        test.queue.enqueue(&message).await.unwrap();
    }
    for _ in 1..=count {
        let lease = test.reserve("a").await;
        let even = lease.job_id().get() % 2 == 0;
        let error = if even { "GitHub: Bad Credentials" } else { "the image is absent" }.to_owned();
        test.queue.settle(lease, Settlement::Dead { error }).await.unwrap();
    }
    test
}

fn ids(jobs: &[shared::queue::JobRecord]) -> Vec<u64> {
    let mut ids: Vec<u64> = jobs.iter().map(|job| job.id.get()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_dead_letter_that_is_replayed_keeps_its_message_its_first_error_and_its_history() {
    let test = dead(1).await;
    let one = DeadLetters { jobs: vec![job(1)], ..DeadLetters::default() };
    assert_eq!(test.queue.replay(&one).await.unwrap(), [job(1)]);
    assert_eq!(test.queue.replay(&one).await.unwrap(), [], "it is none any more");

    let lease = test.reserve("a").await;
    assert_eq!((lease.job.clone(), lease.attempts), (message(1), 0));
    test.queue.settle(lease, Settlement::Dead { error: "another".to_owned() }).await.unwrap();
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.first_error.as_deref(), Some("the image is absent"));
    assert_eq!((record.error.as_deref(), record.replays), (Some("another"), 1));
    assert_eq!(test.queue.enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateDelivery, "its GUID is remembered");
    let story = test.story(1).await;
    assert_eq!(story.iter().filter(|what| *what == "dead").count(), 2);
    assert!(story.contains(&"replayed".to_owned()), "{story:?}");
}

#[tokio::test]
async fn a_dead_letter_that_is_replayed_waits_and_crashes_anew() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    for _ in 0..3 {
        let _lost = test.reserve("dead").await;
        test.run_out("1").await;
    }
    test.command("HSET gha:{default}:job:1 enq 1").await; // it came long ago
    assert_eq!(test.queue.replay(&DeadLetters::default()).await.unwrap(), [job(1)]);

    let lease = test.reserve("dead").await;
    assert!(lease.waited < Duration::from_mins(1), "{:?}", lease.waited);
    test.run_out("1").await;
    assert_eq!(test.state(1).await, Some(JobState::Pending), "this was its first crash");
}

#[tokio::test]
async fn dead_letters_are_found_by_id_error_scope_and_age() {
    let test = dead(4).await;
    let found = async |which: DeadLetters| ids(&test.queue.dead_letters(&which, 100).await.unwrap());
    let all = DeadLetters::default;

    assert_eq!(found(all()).await, [1, 2, 3, 4]);
    assert_eq!(found(DeadLetters { jobs: vec![job(3), job(9)], ..all() }).await, [3]);
    assert_eq!(found(DeadLetters { error: Some("bad credentials".to_owned()), ..all() }).await, [2, 4]);
    assert_eq!(found(DeadLetters { scope: Some("octo/repo".parse().unwrap()), ..all() }).await, [1, 3]);
    assert_eq!(found(DeadLetters { older_than: Some(Duration::from_mins(1)), ..all() }).await, [0_u64; 0]);
    assert_eq!(found(DeadLetters { newer_than: Some(Duration::from_mins(1)), ..all() }).await, [1, 2, 3, 4]);
    assert_eq!(test.queue.dead_letters(&all(), 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn many_are_replayed_page_by_page_and_the_others_stay() {
    let test = dead(250).await;
    let even = DeadLetters { error: Some("Credentials".to_owned()), ..DeadLetters::default() };
    assert_eq!(test.queue.replay(&even).await.unwrap().len(), 125);
    let pool = &test.queue.status().await.unwrap().pools[0];
    assert_eq!((pool.pending, pool.dead), (125, 125));
    assert_eq!(test.queue.replay(&DeadLetters::default()).await.unwrap().len(), 125);
}

#[tokio::test]
async fn a_dead_letter_that_is_dropped_is_gone_and_its_record_says_so() {
    let test = dead(3).await;
    let scope = DeadLetters { scope: Some("octo/even".parse().unwrap()), ..DeadLetters::default() };
    assert_eq!(test.queue.drop_dead(&scope).await.unwrap(), [job(2)]);
    assert_eq!(test.state(2).await, Some(JobState::Cancelled));
    assert_eq!(test.story(2).await.last().map(String::as_str), Some("dropped"));
    assert_eq!(test.queue.status().await.unwrap().pools[0].dead, 2);
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn jobs_are_listed_those_that_run_and_wait_in_front_the_newest_of_each_first() {
    let test = dead(3).await;
    for id in 4..=6 {
        test.enqueue(id).await;
    }
    let lease = test.reserve("a").await;
    test.queue.settle(lease, Settlement::Done { detail: String::new() }).await.unwrap();
    let _held = test.reserve("a").await;

    let listed = async |state| {
        let jobs = test.queue.jobs(state, 100).await.unwrap();
        jobs.iter().map(|job| job.id.get()).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, [5, 6, 3, 2, 1, 4]);
    assert_eq!(listed(Some(JobState::Dead)).await, [3, 2, 1]);
    assert_eq!(listed(Some(JobState::Done)).await, [4]);
    assert_eq!(listed(Some(JobState::Starting)).await, [5]);
    assert_eq!(listed(Some(JobState::Pending)).await, [6]);
    assert_eq!(listed(Some(JobState::Running)).await, [0_u64; 0]);
    let two = test.queue.jobs(None, 2).await.unwrap();
    assert_eq!(two.iter().map(|job| job.id.get()).collect::<Vec<_>>(), [5, 6]);
}
