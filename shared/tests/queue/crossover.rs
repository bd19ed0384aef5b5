//! GitHub gives a job to a runner: its own, another job's, or somebody else's.

use redis::Value;
use shared::{
    model::JobState,
    queue::{
        Adoption, CancelOutcome, DeadLetters, Enqueued, Lease, Noted, Progress, Reserved, Served, ServedBy, Settlement,
    },
};
use tokio::time::sleep;

use crate::support::{LEASE, TestQueue, job, message, pool, worker};

/// Lets job `id` run on a runner.
pub(crate) async fn serve(test: &TestQueue, id: u64, by: ServedBy, completed: bool) -> Noted {
    let runner = match by {
        ServedBy::Own { attempt } => format!("gha-{id}-{attempt}"),
        ServedBy::Other { job, attempt } => format!("gha-{job}-{attempt}"),
        ServedBy::Foreign => "somebody-elses".to_owned(),
    };
    let delivery = format!("served-{id}-{runner}-{completed}").parse().unwrap();
    let served =
        Served { job: job(id), runner: &runner, by, completed, delivery: &delivery, detail: "GitHub: in progress" };
    test.queue.served(&pool(), &served).await.unwrap()
}

pub(crate) fn others(id: u64) -> ServedBy {
    ServedBy::Other { job: job(id), attempt: 1 }
}

pub(crate) fn done() -> Settlement {
    Settlement::Done { detail: "Succeeded".to_owned() }
}

pub(crate) async fn started(test: &TestQueue, who: &str) -> Lease {
    let mut lease = test.reserve(who).await;
    test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    lease
}

/// Job 2's runner takes job 1, which waits.
async fn crossed(limit: u32) -> (TestQueue, Lease) {
    let test = TestQueue::with(&format!("[[pool]]\nname = \"default\"\nmax_runners = {limit}")).await;
    test.enqueue(2).await;
    let lease = started(&test, "a").await;
    test.enqueue(1).await;
    assert_eq!(serve(&test, 1, others(2), false).await, Noted::Recorded);
    (test, lease)
}

#[tokio::test]
async fn a_job_whose_runner_took_another_waits_again_and_the_other_waits_no_more() {
    let (test, lease) = crossed(2).await;
    assert_eq!(test.state(1).await, Some(JobState::Done));
    assert_eq!(test.state(2).await, Some(JobState::Pending));
    assert!(test.story(2).await.contains(&"reopened".to_owned()));

    let second = test.reserve("b").await;
    assert_eq!((second.job_id(), second.id().attempt), (job(2), 2), "it gets a runner of another name");
    for lease in [lease, second] {
        let beat = test.queue.beat(&pool(), &[lease.id()]).await.unwrap();
        assert_eq!((beat.lost, beat.cancelled), (vec![], vec![]));
        assert_eq!(test.queue.settle(lease, done()).await.unwrap(), JobState::Done);
    }
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn the_runner_that_took_another_job_keeps_its_slot() {
    let (test, lease) = crossed(1).await;
    assert!(matches!(test.try_reserve("b").await, Reserved::Full));
    assert_eq!(test.queue.status().await.unwrap().pools[0].running, 1);
    test.queue.settle(lease, done()).await.unwrap();
    assert_eq!(test.reserve("b").await.job_id(), job(2));
}

#[tokio::test]
async fn saying_it_again_changes_nothing() {
    let (test, lease) = crossed(5).await;
    assert_eq!(serve(&test, 1, others(2), false).await, Noted::DuplicateDelivery);
    assert_eq!(serve(&test, 1, others(2), true).await, Noted::Recorded);
    assert_eq!(test.queue.status().await.unwrap().pools[0].pending, 1);

    test.queue.settle(lease, done()).await.unwrap();
    serve(&test, 1, others(2), true).await;
    assert_eq!(test.queue.status().await.unwrap().pools[0].pending, 1);
}

#[tokio::test]
async fn a_job_that_ended_with_its_runner_is_opened_when_it_turns_out_that_the_runner_took_another() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let lease = started(&test, "a").await;
    test.queue.settle(lease, done()).await.unwrap();
    test.enqueue(1).await;

    serve(&test, 1, others(2), true).await;
    assert_eq!(test.state(1).await, Some(JobState::Done));
    assert_eq!(test.reserve("a").await.job_id(), job(2));
    assert_eq!(test.queue.job(job(2)).await.unwrap().unwrap().ended_at, None);
}

#[tokio::test]
async fn a_job_whose_queued_comes_after_it_ran_on_anothers_runner_is_not_run_and_the_other_is_open() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let _lease = started(&test, "a").await;

    serve(&test, 1, others(2), false).await;
    assert_eq!(test.queue.enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateJob(JobState::Done));
    assert_eq!(test.reserve("a").await.job_id(), job(2));
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn a_job_that_somebody_elses_runner_took_gets_none_of_ours() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    serve(&test, 1, ServedBy::Foreign, false).await;
    assert_eq!(test.state(1).await, Some(JobState::Cancelled));
    let lease = test.reserve("a").await;
    assert_eq!(lease.job_id(), job(2));

    serve(&test, 2, ServedBy::Foreign, false).await;
    let beat = test.queue.beat(&pool(), &[lease.id()]).await.unwrap();
    assert_eq!(beat.cancelled, [lease.id()], "its runner has nothing to do");
}

#[tokio::test]
async fn a_job_that_runs_on_its_own_runner_is_left_to_its_worker() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = started(&test, "a").await;
    for completed in [false, true] {
        assert_eq!(serve(&test, 1, ServedBy::Own { attempt: 1 }, completed).await, Noted::Recorded);
        assert_eq!(test.state(1).await, Some(JobState::Running));
    }
    assert_eq!(test.queue.beat(&pool(), &[lease.id()]).await.unwrap().cancelled, []);
    assert_eq!(test.queue.settle(lease, done()).await.unwrap(), JobState::Done);
}

#[tokio::test]
async fn a_job_that_ran_on_a_runner_whose_worker_died_before_it_said_so_is_not_run_again() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let _lost = test.reserve("dead").await;
    while test.state(1).await != Some(JobState::Pending) {
        sleep(LEASE / 5).await;
        test.queue.beat(&pool(), &[]).await.unwrap();
    }
    serve(&test, 1, ServedBy::Own { attempt: 1 }, false).await;
    assert_eq!(test.state(1).await, Some(JobState::Done));
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn the_end_of_a_job_frees_the_slot_of_a_runner_whose_worker_is_gone() {
    for lent in [false, true] {
        let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 1").await;
        test.enqueue(1).await;
        let _lost = started(&test, "dead").await;
        if lent {
            serve(&test, 2, others(1), false).await;
        }
        while test.queue.status().await.unwrap().pools[0].orphaned == 0 {
            sleep(LEASE / 5).await;
            test.queue.beat(&pool(), &[]).await.unwrap();
        }
        let by = if lent { others(1) } else { ServedBy::Own { attempt: 1 } };
        serve(&test, if lent { 2 } else { 1 }, by, true).await;
        assert_eq!(test.queue.status().await.unwrap().pools[0].orphaned, 0);
        assert_eq!(test.state(1).await, Some(if lent { JobState::Pending } else { JobState::Done }));
    }
}

#[tokio::test]
async fn a_runner_that_took_another_job_is_adopted_as_what_it_is() {
    let (test, first) = crossed(5).await;
    let second = started(&test, "b").await;

    let adopted = test.queue.adopt(&pool(), &worker("a"), job(2), 1).await.unwrap();
    let Adoption::Adopted(lent) = adopted else { panic!("{adopted:?}") };
    assert_eq!((lent.id().job, lent.id().attempt), (job(2), 1));
    assert_eq!(test.queue.beat(&pool(), &[first.id(), second.id()]).await.unwrap().lost, [first.id()]);
    test.queue.settle(*lent, done()).await.unwrap();
    assert_eq!(test.state(2).await, Some(JobState::Running), "its own runner is another");
    assert!(test.queue.took_another(&pool(), job(2), 1).await.unwrap());
    assert!(!test.queue.took_another(&pool(), job(2), 2).await.unwrap());
    test.queue.settle(second, done()).await.unwrap();
    let refused = test.queue.adopt(&pool(), &worker("a"), job(2), 1).await.unwrap();
    assert!(matches!(refused, Adoption::Refused(None)), "{refused:?}");
}

#[tokio::test]
async fn a_job_that_was_cancelled_is_not_opened_again() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let lease = started(&test, "a").await;
    test.enqueue(1).await;
    test.queue.cancel(&pool(), job(2), None, "cancelled at GitHub").await.unwrap();

    serve(&test, 1, others(2), false).await;
    assert_eq!(test.state(2).await, Some(JobState::Cancelled));
    assert_eq!(test.queue.beat(&pool(), &[lease.id()]).await.unwrap().lost, [], "its runner works on job 1");
    test.queue.settle(lease, done()).await.unwrap();
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn a_runner_that_has_ended_says_nothing_of_the_next_one_of_its_job() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let mut lease = started(&test, "dead").await;
    test.queue.progress(&mut lease, Progress { exited: Some("Succeeded"), ..Progress::default() }).await.unwrap();
    test.run_out("2").await;
    assert_eq!(test.state(2).await, Some(JobState::Done));
    serve(&test, 1, others(2), true).await;

    let _second = started(&test, "dead").await;
    test.run_out("2").await;
    assert_eq!(test.state(2).await, Some(JobState::Orphaned), "its second runner may be up");
}

#[tokio::test]
async fn a_runner_that_took_another_job_just_when_it_was_found_is_not_the_new_attempts() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let _lost = test.reserve("dead").await;
    test.run_out("2").await;
    let mut second = test.reserve("a").await;
    assert!(!test.queue.took_another(&pool(), job(2), 1).await.unwrap());
    serve(&test, 1, others(2), false).await;

    let found = Progress { found: Some(1), started: true, ..Progress::default() };
    assert!(test.queue.progress(&mut second, found).await.is_err());
    assert_eq!(second.id().attempt, 2);
    test.run_out("2").await;
    let mut third = test.reserve("a").await;
    test.queue.progress(&mut third, Progress { started: true, ..Progress::default() }).await.unwrap();
    assert_eq!(test.queue.beat(&pool(), &[third.id()]).await.unwrap().lost, []);
}

#[tokio::test]
async fn a_job_that_ended_with_its_runner_and_was_cancelled_is_not_opened_again_either() {
    for cancelled_first in [true, false] {
        let test = TestQueue::new().await;
        test.enqueue(2).await;
        let lease = started(&test, "a").await;
        let cancel = async || test.queue.cancel(&pool(), job(2), None, "cancelled at GitHub").await.unwrap();
        if cancelled_first {
            assert_eq!(cancel().await, CancelOutcome::Flagged);
        }
        test.queue.settle(lease, done()).await.unwrap();
        if !cancelled_first {
            assert_eq!(cancel().await, CancelOutcome::Ended(JobState::Done));
        }
        serve(&test, 1, others(2), true).await;
        assert_eq!(test.state(2).await, Some(JobState::Done));
        assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
    }
}

#[tokio::test]
async fn a_record_is_kept_for_as_long_as_a_runner_of_its_job_works_on_another() {
    let (test, lent) = crossed(5).await;
    let second = started(&test, "b").await;
    test.queue.settle(second, done()).await.unwrap();
    let expires = async |key| test.command(&format!("PTTL gha:{{default}}:{key}:2")).await != Value::Int(-1);
    assert!(!expires("job").await && !expires("events").await);

    test.queue.settle(lent, done()).await.unwrap();
    assert!(expires("job").await && expires("events").await);
    assert_eq!(test.state(2).await, Some(JobState::Done));
}

#[tokio::test]
async fn a_job_whose_end_is_known_already_still_gives_another_its_runner_back() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let _second = started(&test, "a").await;
    test.enqueue(1).await;
    let first = started(&test, "a").await;
    test.queue.settle(first, done()).await.unwrap(); // its runner took a third, of which nothing is known
    serve(&test, 1, others(2), true).await;
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Done), Some(JobState::Pending)));

    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let first = started(&test, "a").await;
    test.queue.settle(first, Settlement::Dead { error: "no".to_owned() }).await.unwrap();
    test.queue.drop_dead(&DeadLetters::default()).await.unwrap();
    test.enqueue(2).await;
    let _second = started(&test, "a").await;
    serve(&test, 1, others(2), true).await;
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Cancelled), Some(JobState::Pending)));
}

#[tokio::test]
async fn a_job_that_is_completed_before_its_worker_is_known_to_be_gone_is_done_and_its_slot_is_free_then() {
    for lent in [false, true] {
        let test = TestQueue::new().await;
        test.enqueue(1).await;
        let _lost = started(&test, "dead").await;
        if lent {
            serve(&test, 2, others(1), false).await;
            serve(&test, 2, others(1), true).await;
            test.run_out("1~1").await;
        } else {
            serve(&test, 1, ServedBy::Own { attempt: 1 }, true).await;
            assert_eq!(test.state(1).await, Some(JobState::Running), "its worker sees to its end");
            test.run_out("1").await;
        }
        assert_eq!(test.queue.status().await.unwrap().pools[0].orphaned, 0);
        assert_eq!(test.state(1).await, Some(if lent { JobState::Pending } else { JobState::Done }));
    }
}
