//! Runners that are up before there is a job for them.

use std::time::Duration;

use shared::{
    model::{JobId, JobState},
    queue::{Adoption, Idle, IdleRunner, Lease, Progress, QueueError, Reserved, Room, ServedBy, Settlement, What},
};

use crate::{
    crossover::{done, serve},
    support::{LEASE, POOL, TestQueue, job, message, parse, pool, worker},
};

/// What is asked of a runner of which two are wanted.
const IDLE: IdleRunner = IdleRunner { wanted: 2, job_is_gone: false, is_outdated: false, room: Room::Enough };

/// Asks for the warm runner of a number, of which so many are wanted for `octo/repo`.
async fn refill(test: &TestQueue, number: u32, wanted: u32) -> Option<Lease> {
    let (pools, scope) = (parse(POOL), "octo/repo".parse().unwrap());
    let pool = pools.get(&pool()).unwrap();
    test.queue.refill(pool, &worker("a"), JobId::warm(number), &[(scope, wanted)]).await.unwrap()
}

/// The same, which is there and is up.
async fn warm(test: &TestQueue, number: u32) -> Lease {
    let mut lease = refill(test, number, 2).await.unwrap();
    test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    lease
}

async fn spare(test: &TestQueue, lease: &Lease, runner: IdleRunner) -> Idle {
    test.queue.spare(lease, runner).await.unwrap()
}

async fn taken(test: &TestQueue, id: u64, by: u32) {
    serve(test, id, ServedBy::Other { job: JobId::warm(by), attempt: 1 }, false).await;
}

#[tokio::test]
async fn so_many_are_made_as_are_wanted_and_they_count_against_the_limits() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 3").await;
    let first = warm(&test, 1).await;
    assert_eq!((first.job.scope.to_string().as_str(), first.job_id().to_string().as_str()), ("octo/repo", "w1"));
    assert!(refill(&test, 1, 2).await.is_none(), "its id is taken");
    let _second = warm(&test, 2).await;
    assert!(refill(&test, 3, 2).await.is_none());
    assert!(refill(&test, 3, 3).await.is_some());
    assert!(refill(&test, 4, 4).await.is_none(), "the limit is 3");
    test.enqueue(1).await;
    assert!(matches!(test.try_reserve("b").await, Reserved::Full));
    let shown = test.queue.status().await.unwrap().pools[0].clone();
    assert_eq!((shown.warm, shown.running, shown.starting, shown.pending), (3, 2, 1, 1));

    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 3\nmax_per_scope = 1").await;
    let _first = warm(&test, 1).await;
    assert!(refill(&test, 2, 2).await.is_none(), "the limit of its scope is 1");
}

#[tokio::test]
async fn a_job_that_waits_comes_before_them() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 3\nmax_per_scope = 1").await;
    for id in 1..=2 {
        test.enqueue(id).await;
    }
    assert!(refill(&test, 1, 2).await.is_none());
    let _job = test.reserve("a").await;
    let mut other = message(3);
    other.scope = "octo/other".parse().unwrap();
    test.queue.enqueue(&other).await.unwrap();
    assert!(refill(&test, 1, 2).await.is_none());
    assert!(test.queue.has_startable(&pool()).await.unwrap());
    assert_eq!(test.reserve("a").await.job_id(), job(3));
    assert!(!test.queue.has_startable(&pool()).await.unwrap(), "job 2 has no room in its scope");
    let scope = "octo/third".parse().unwrap();
    let made = test.queue.refill(parse(POOL).get(&pool()).unwrap(), &worker("a"), JobId::warm(1), &[(scope, 1)]).await;
    assert!(made.unwrap().is_some(), "and is in nobody's way");
}

#[tokio::test]
async fn the_runner_of_a_job_that_a_warm_one_took_is_warm_in_its_place() {
    let test = TestQueue::new().await;
    let (first, _second) = (warm(&test, 1).await, warm(&test, 2).await);
    test.enqueue(1).await;
    let mut own = test.reserve("a").await;
    assert!(refill(&test, 3, 2).await.is_none());
    taken(&test, 1, 1).await;
    assert_eq!(test.state(1).await, Some(JobState::Done));
    assert!(refill(&test, 3, 2).await.is_none(), "its own runner is on its way");
    assert_eq!(spare(&test, &first, IDLE).await, Idle::Stay, "it has a job");

    test.queue.progress(&mut own, Progress { started: true, ..Progress::default() }).await.unwrap();
    assert_eq!(spare(&test, &own, IDLE).await, Idle::Stay);
    assert_eq!(test.queue.beat(&pool(), &[own.id()]).await.unwrap().lost, []);
    assert_eq!(test.queue.status().await.unwrap().pools[0].warm, 2);
    test.queue.settle(first, done()).await.unwrap();

    // It takes the next job, whose own runner comes to nothing.
    test.enqueue(2).await;
    let next = test.reserve("a").await;
    serve(&test, 2, ServedBy::Other { job: job(1), attempt: 1 }, false).await;
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Done), Some(JobState::Done)));
    let nothing = Settlement::Retry { delay: Duration::ZERO, error: "no".to_owned() };
    test.queue.settle(next, nothing).await.unwrap();
    test.queue.settle(own, done()).await.unwrap();
    assert_eq!((test.state(1).await, test.state(2).await), (Some(JobState::Done), Some(JobState::Done)));
    assert!(refill(&test, 3, 2).await.is_some());
    assert_eq!(test.queue.audit_now(&pool(), Duration::from_hours(1), u32::MAX).await.unwrap().repaired(), 0);
}

#[tokio::test]
async fn one_that_has_a_job_as_its_worker_sees_is_replaced() {
    let test = TestQueue::new().await;
    let (mut first, _second) = (warm(&test, 1).await, warm(&test, 2).await);
    first.happened(What::Running, "build");
    test.queue.progress(&mut first, Progress::default()).await.unwrap();
    assert_eq!(test.queue.status().await.unwrap().pools[0].warm, 1);
    assert!(refill(&test, 3, 2).await.is_some());
    assert!(refill(&test, 4, 2).await.is_none());
}

#[tokio::test]
async fn one_too_many_goes_and_is_not_counted_from_then_on() {
    let test = TestQueue::new().await;
    let (first, second) = (warm(&test, 1).await, warm(&test, 2).await);
    assert_eq!(spare(&test, &first, IDLE).await, Idle::Stay);
    let one = IdleRunner { wanted: 1, ..IDLE };
    assert_eq!(spare(&test, &first, one).await, Idle::Go);
    assert_eq!(spare(&test, &second, one).await, Idle::Stay, "the other goes");
    assert!(refill(&test, 3, 2).await.is_some());
    test.queue.settle(first, Settlement::Idle { detail: "it was one too many".to_owned() }).await.unwrap();
    assert!(refill(&test, 4, 2).await.is_none());
}

#[tokio::test]
async fn one_makes_room_for_a_job_of_another_scope_and_one_that_is_outdated_waits_for_its_turn() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 2").await;
    let (first, second) = (warm(&test, 1).await, warm(&test, 2).await);
    test.enqueue(1).await;
    assert_eq!(spare(&test, &first, IDLE).await, Idle::Stay, "it will get that job");
    let mut other = message(2);
    other.scope = "octo/other".parse().unwrap();
    test.queue.enqueue(&other).await.unwrap();
    assert_eq!(spare(&test, &first, IDLE).await, Idle::Go);
    assert_eq!(spare(&test, &second, IDLE).await, Idle::Stay, "one slot is enough");
    assert_eq!(spare(&test, &second, IdleRunner { room: Room::Needed, ..IDLE }).await, Idle::Go);

    let test = TestQueue::new().await;
    let (first, second) = (warm(&test, 1).await, warm(&test, 2).await);
    let outdated = IdleRunner { is_outdated: true, ..IDLE };
    assert_eq!(spare(&test, &first, outdated).await, Idle::Go);
    assert_eq!(spare(&test, &second, outdated).await, Idle::Stay, "one after the other");
}

#[tokio::test]
async fn a_runner_whose_own_job_is_gone_is_warm_and_one_whose_job_may_wait_is_not() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let mut own = test.reserve("a").await;
    test.queue.progress(&mut own, Progress { started: true, ..Progress::default() }).await.unwrap();
    assert_eq!(spare(&test, &own, IDLE).await, Idle::Own);
    assert_eq!(spare(&test, &own, IdleRunner { job_is_gone: true, ..IDLE }).await, Idle::Stay);
    assert_eq!((test.state(1).await, test.queue.status().await.unwrap().pools[0].warm), (Some(JobState::Done), 1));
    let mut again = message(1);
    again.delivery = "again".parse().unwrap();
    test.queue.enqueue(&again).await.unwrap();
    assert_eq!(test.reserve("a").await.id().attempt, 2, "should it come again, it gets another");
}

#[tokio::test]
async fn those_that_come_to_nothing_are_replaced_after_longer_and_longer_and_are_no_dead_letters() {
    let test = TestQueue::new().await;
    for failures in 0..6 {
        let lease = refill(&test, failures, 1).await.unwrap();
        assert_eq!(lease.attempts, failures);
        let failed = Settlement::Retry { delay: Duration::from_millis(60), error: "no".to_owned() };
        assert_eq!(test.queue.settle(lease, failed).await.unwrap(), JobState::Done);
        assert!(refill(&test, 10, 1).await.is_none());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(test.queue.status().await.unwrap().pools[0].dead, 0);
    let lease = refill(&test, 10, 1).await.unwrap();
    test.queue.settle(lease, done()).await.unwrap();
    assert_eq!(refill(&test, 11, 1).await.unwrap().attempts, 0, "one took a job");
}

#[tokio::test]
async fn one_whose_worker_fell_silent_keeps_its_slot_until_it_is_adopted_and_one_that_was_being_made_does_not() {
    let test = TestQueue::new().await;
    let lost = warm(&test, 1).await;
    let _starting = refill(&test, 2, 2).await.unwrap();
    test.run_out("w1").await;
    test.run_out("w2").await;
    assert_eq!(test.queue.job(JobId::warm(1)).await.unwrap().unwrap().state, JobState::Orphaned);
    assert_eq!(test.queue.job(JobId::warm(2)).await.unwrap().unwrap().state, JobState::Done);
    tokio::time::sleep(LEASE * 3 / 2).await;
    assert!(refill(&test, 3, 1).await.is_none());
    let Adoption::Adopted(adopted) = test.queue.adopt(&pool(), &worker("b"), JobId::warm(1), 1).await.unwrap() else {
        panic!("it is to be had");
    };
    let settled = test.queue.settle(lost, done()).await;
    assert!(matches!(settled, Err(QueueError::LeaseLost { .. })), "{settled:?}");
    assert_eq!(test.queue.settle(*adopted, done()).await.unwrap(), JobState::Done);
}

#[tokio::test]
async fn none_is_made_while_its_pool_is_paused_or_stopped() {
    let test = TestQueue::new().await;
    test.queue.stop(&pool(), Duration::from_millis(1), "its runners cannot work").await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(refill(&test, 1, 1).await.is_none(), "a job tries it");
    test.enqueue(1).await;
    assert!(test.queue.has_startable(&pool()).await.unwrap());
    let mut trial = test.reserve("a").await;
    trial.happened(What::Running, "build");
    test.queue.progress(&mut trial, Progress { started: true, ..Progress::default() }).await.unwrap();
    test.queue.pause(&[pool()], LEASE, "GitHub says so").await.unwrap();
    assert!(refill(&test, 1, 1).await.is_none());
    tokio::time::sleep(LEASE).await;
    assert!(refill(&test, 1, 1).await.is_some());
}

#[tokio::test]
async fn what_the_store_has_lost_of_one_is_put_back() {
    let test = TestQueue::new().await;
    let lease = warm(&test, 1).await;
    test.command("DEL gha:{default}:job:w1").await;
    assert!(test.queue.restore(lease.id(), &lease.backup()).await.unwrap());
    assert_eq!(test.queue.status().await.unwrap().pools[0].warm, 1);
}
