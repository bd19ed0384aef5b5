//! Jobs that are run by each other's runners.

use std::time::Duration;

use shared::{
    model::JobState,
    queue::{Lease, Reserved, Settlement},
};

use crate::{
    crossover::{done, others, serve, started},
    support::{TestQueue, job, message, pool, worker},
};

/// Jobs 1 and 2 have their runners in preparation when 2's takes job 1: 1's will do for 2.
async fn left() -> (TestQueue, [Lease; 2]) {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    let leases = [test.reserve("a").await, started(&test, "a").await];
    serve(&test, 1, others(2), false).await;
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Starting), Some(JobState::Running)));
    (test, leases)
}

#[tokio::test]
async fn a_job_that_was_left_to_the_runner_of_another_is_opened_when_that_one_comes_to_nothing() {
    let error = || "the engine said no".to_owned();
    for settlement in [
        Some(Settlement::Retry { delay: Duration::ZERO, error: error() }),
        Some(Settlement::Dead { error: error() }),
        Some(Settlement::Cancelled { reason: error() }),
        Some(Settlement::Release { delay: Duration::ZERO, reason: error() }),
        None,
    ] {
        let (test, [first, second]) = left().await;
        if let Some(settlement) = settlement {
            assert_eq!(test.queue.settle(first, settlement).await.unwrap(), JobState::Done);
        } else {
            test.run_out("1").await;
        }
        assert_eq!(test.state(1).await, Some(JobState::Done));
        assert_eq!(test.state(2).await, Some(JobState::Pending));
        assert_eq!(test.queue.beat(&pool(), &[second.id()]).await.unwrap().lost, [], "its runner works on job 1");
        assert_eq!(test.reserve("a").await.job_id(), job(2));
        serve(&test, 1, others(2), true).await;
        assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
    }
}

#[tokio::test]
async fn of_jobs_that_pass_their_runners_on_the_last_is_opened() {
    let (test, [first, second]) = left().await;
    test.enqueue(3).await;
    let third = started(&test, "a").await;
    serve(&test, 2, others(3), false).await;

    test.queue.settle(first, Settlement::Dead { error: "the engine said no".to_owned() }).await.unwrap();
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Done), Some(JobState::Done)));
    assert_eq!(test.state(3).await, Some(JobState::Pending));
    assert_eq!(test.queue.beat(&pool(), &[second.id(), third.id()]).await.unwrap().lost, []);
}

#[tokio::test]
async fn a_job_that_has_ended_leaves_the_runner_that_was_left_to_it() {
    let (test, [first, second]) = left().await;
    test.enqueue(3).await;
    let third = started(&test, "a").await;
    assert_eq!(test.queue.settle(second, done()).await.unwrap(), JobState::Done);
    for completed in [false, true] {
        serve(&test, 2, others(3), completed).await;
        assert_eq!(test.state(3).await, Some(JobState::Running), "the runner of job 1 will do for it");
    }
    // And so on: that of job 4 took job 3 after that had ended.
    assert_eq!(test.queue.settle(third, done()).await.unwrap(), JobState::Done);
    test.enqueue(4).await;
    let _fourth = started(&test, "a").await;
    serve(&test, 3, others(4), false).await;
    assert_eq!(test.state(4).await, Some(JobState::Running));

    test.queue.settle(first, Settlement::Dead { error: "the engine said no".to_owned() }).await.unwrap();
    assert_eq!((test.state(2).await, test.state(3).await), (Some(JobState::Done), Some(JobState::Done)));
    assert_eq!(test.state(4).await, Some(JobState::Pending), "it has no runner now");
}

#[tokio::test]
async fn a_runner_that_would_be_left_to_a_job_that_needs_none_has_nothing_to_do() {
    let test = TestQueue::new().await;
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    let first = test.reserve("a").await;
    let [second, _third] = [started(&test, "a").await, started(&test, "a").await];
    assert_eq!(test.queue.settle(second, done()).await.unwrap(), JobState::Done);
    // GitHub's words of what the second runner did come last.
    serve(&test, 2, others(3), false).await;
    assert_eq!(test.state(3).await, Some(JobState::Pending));
    serve(&test, 1, others(2), false).await;
    assert_eq!(test.queue.beat(&pool(), &[first.id()]).await.unwrap().cancelled, [first.id()]);
}

#[tokio::test]
async fn a_job_is_not_left_to_a_runner_that_registers_elsewhere() {
    let (mut scope, mut gpu) = (message(2), message(2));
    scope.scope = "octo".parse().unwrap();
    gpu.pool = "gpu".parse().unwrap();
    for other in [scope, gpu] {
        let test = TestQueue::with("[[pool]]\nname = \"default\"\n[[pool]]\nname = \"gpu\"\nlabels = [\"gpu\"]").await;
        test.enqueue(1).await;
        let first = test.reserve("a").await;
        test.queue.enqueue(&other).await.unwrap();
        let second = test.queue.reserve(&other.pool, &worker("a")).await.unwrap();
        assert!(matches!(second, Reserved::Job(_)));

        serve(&test, 1, others(2), false).await;
        assert_eq!(test.state(2).await, Some(JobState::Pending));
        assert_eq!(test.queue.beat(&pool(), &[first.id()]).await.unwrap().cancelled, [first.id()]);
    }
}

#[tokio::test]
async fn two_jobs_that_swapped_their_runners_need_no_third() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    let leases = [started(&test, "a").await, started(&test, "a").await];
    serve(&test, 1, others(2), false).await;
    serve(&test, 2, others(1), false).await;
    for lease in leases {
        assert_eq!(test.queue.settle(lease, done()).await.unwrap(), JobState::Done);
    }
    serve(&test, 1, others(2), true).await;
    serve(&test, 2, others(1), true).await;
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Done), Some(JobState::Done)));
}

#[tokio::test]
async fn a_job_that_is_opened_while_its_own_lease_runs_out_is_not_ended_with_it() {
    let (test, _lost) = left().await;
    serve(&test, 1, others(2), true).await; // job 2's runner has ended
    for lease in ["1 1", "2 2"] {
        test.command(&format!("ZADD gha:{{default}}:lease XX {lease}")).await;
    }
    test.queue.beat(&pool(), &[]).await.unwrap();
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Done), Some(JobState::Pending)));
    assert_eq!(test.reserve("a").await.job_id(), job(2));
    assert_eq!(test.queue.status().await.unwrap().pools[0].starting, 1);
}

#[tokio::test]
async fn a_job_that_was_left_to_anothers_runner_is_not_opened_when_that_runner_did_its_work() {
    let (test, [first, second]) = left().await;
    test.queue.settle(first, done()).await.unwrap(); // it ran job 2
    serve(&test, 1, others(2), true).await;
    assert_eq!(test.state(2).await, Some(JobState::Running));
    test.queue.settle(second, done()).await.unwrap();
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
}

#[tokio::test]
async fn the_end_of_an_earlier_runner_is_not_that_of_the_one_that_is_up() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let _lost = test.reserve("dead").await;
    test.run_out("2").await;
    let _second = started(&test, "a").await;
    test.enqueue(1).await;
    let _first = started(&test, "a").await;
    serve(&test, 1, others(2), true).await; // that one's name ends in 1
    test.run_out("2").await;
    assert_eq!(test.state(2).await, Some(JobState::Orphaned));
}
