//! Jobs that are looked for, a page at a time.

use std::collections::BTreeSet;

use shared::{
    model::{JobMessage, JobState},
    queue::{JobFilter, JobRecord, JobsPage, Settlement, Unmatched},
};

use crate::{
    crossover::{done, others, serve, started},
    support::{TestQueue, job, message},
};

fn ids(jobs: &[JobRecord]) -> Vec<u64> {
    jobs.iter().map(|job| job.id.get()).collect()
}

fn in_state(state: JobState) -> JobFilter {
    JobFilter { states: vec![state], ..JobFilter::default() }
}

/// All pages of a list, a page of `most` after the other.
async fn pages(test: &TestQueue, filter: &JobFilter, most: usize) -> Vec<u64> {
    let (mut all, mut from) = (Vec::new(), None);
    for _ in 0..1000 {
        let JobsPage { jobs, more } = test.queue.find(filter, from, most).await.unwrap();
        assert!(jobs.len() <= most);
        all.extend(ids(&jobs));
        let Some(mark) = more else { return all };
        from = Some(mark.to_string().parse().unwrap());
    }
    panic!("there is no end: {all:?}");
}

/// A job in each place: 9 runs, 8 and 7 wait, 6 is delayed, 5 is dead, 4 is done, 3 was cancelled, no pool takes 2.
async fn one_of_each() -> TestQueue {
    let test = TestQueue::new().await;
    let settlements = [
        (3, Settlement::Cancelled { reason: "no more".to_owned() }),
        (4, done()),
        (5, Settlement::Dead { error: "the image is absent".to_owned() }),
        (6, Settlement::Retry { delay: std::time::Duration::from_mins(1), error: "it failed".to_owned() }),
    ];
    for (id, settlement) in settlements {
        test.enqueue(id).await;
        let lease = test.reserve("a").await;
        test.queue.settle(lease, settlement).await.unwrap();
    }
    let unmatched = Unmatched {
        job_id: job(2),
        repository: "octo/odd".parse().unwrap(),
        delivery: "guid-2".parse().unwrap(),
        labels: "gpu".parse().unwrap(),
        reason: "no_matching_pool",
        detail: "no pool covers gpu".to_owned(),
    };
    test.queue.record_unmatched(&unmatched).await.unwrap();
    test.enqueue(9).await;
    drop(started(&test, "a").await);
    for id in [7, 8] {
        let named =
            JobMessage { name: format!("Named {id}"), repository: None, scope: "acme".parse().unwrap(), ..message(id) };
        test.queue.enqueue(&named).await.unwrap();
    }
    test
}

#[tokio::test]
async fn what_is_going_on_comes_before_what_has_ended_and_the_newest_first() {
    let test = one_of_each().await;
    for most in [1, 2, 3, 100] {
        let mut all = pages(&test, &JobFilter::default(), most).await;
        // These may have ended, or come, within the same millisecond.
        all[1..3].sort_unstable();
        all[5..].sort_unstable();
        assert_eq!(all, [9, 7, 8, 6, 5, 2, 3, 4], "{most} on a page");
    }
}

#[tokio::test]
async fn a_job_is_found_by_its_state_its_pool_its_scope_and_any_text() {
    let test = one_of_each().await;
    for (state, expected) in [
        (JobState::Running, vec![9]),
        (JobState::Starting, vec![]),
        (JobState::Delayed, vec![6]),
        (JobState::Dead, vec![5]),
        (JobState::Done, vec![4]),
        (JobState::Cancelled, vec![3]),
        (JobState::Unmatched, vec![2]),
    ] {
        assert_eq!(pages(&test, &in_state(state), 10).await, expected, "{state}");
    }
    let with = |text: &str| JobFilter { text: Some(text.to_owned()), ..JobFilter::default() };
    assert_eq!(pages(&test, &with("named 8"), 10).await, [8]);
    assert_eq!(pages(&test, &with("IMAGE is absent"), 10).await, [5]);
    assert_eq!(pages(&test, &with("gpu"), 10).await, [2]);
    let scope = JobFilter { scope: Some("ACME".to_owned()), ..JobFilter::default() };
    assert_eq!(pages(&test, &scope, 10).await.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([7, 8]));
    let pool = |name: &str| JobFilter { pool: Some(name.parse().unwrap()), ..JobFilter::default() };
    assert_eq!(pages(&test, &pool("default"), 10).await.len(), 7);
    assert_eq!(pages(&test, &pool("other"), 10).await, Vec::<u64>::new());
}

#[tokio::test]
async fn no_job_is_left_out_of_a_list_of_which_many_have_the_same_time() {
    let test = TestQueue::new().await;
    for id in 1..=40 {
        test.enqueue(id).await;
        test.command(&format!("ZADD gha:{{default}}:queued {} {id}", 1000 + id / 13)).await;
    }
    let all = pages(&test, &JobFilter::default(), 7).await;
    assert_eq!(all.len(), 40);
    assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), (1..=40).collect());
}

#[tokio::test]
async fn a_page_that_finds_nothing_among_many_says_where_to_look_further() {
    let test = TestQueue::new().await;
    for id in 1..=900 {
        test.enqueue(id).await;
        test.command(&format!("ZADD gha:{{default}}:queued {id} {id}")).await;
    }
    let oldest = JobFilter { text: Some("guid-1-none".to_owned()), ..JobFilter::default() };
    let page = test.queue.find(&oldest, None, 10).await.unwrap();
    assert!(page.jobs.is_empty());
    let further = test.queue.find(&JobFilter::default(), page.more, 10).await.unwrap();
    assert_eq!(ids(&further.jobs), (391..=400).rev().collect::<Vec<_>>(), "five hundred were looked at");
    assert!(test.queue.find(&oldest, page.more, 10).await.unwrap().more.is_none());
}

#[tokio::test]
async fn a_job_that_waits_says_in_a_list_what_for() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 1").await;
    test.enqueue(1).await;
    drop(started(&test, "a").await);
    test.enqueue(2).await;
    let full = "waiting for a slot: pool default has 1 of 1 runners";
    assert_eq!(test.queue.find(&in_state(JobState::Pending), None, 10).await.unwrap().jobs[0].reason, full);
    assert_eq!(test.queue.jobs(Some(JobState::Pending), 10).await.unwrap()[0].reason, full);
    // Its runner took another job and stands there under its own name, which is no job.
    serve(&test, 2, others(1), false).await;
    assert_eq!(pages(&test, &JobFilter::default(), 10).await, [1, 2]);
}

#[tokio::test]
async fn a_long_list_has_each_job_once() {
    let test = TestQueue::new().await;
    for id in 1..=1_100 {
        test.enqueue(id).await;
    }
    let listed = test.queue.jobs(None, 1_050).await.unwrap();
    assert_eq!(listed.len(), 1_050);
    assert_eq!(
        ids(&listed).into_iter().collect::<BTreeSet<_>>().len(),
        1_050,
        "in whatever order those of one moment are"
    );
}
