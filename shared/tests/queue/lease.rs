//! Who may work on a job, and how many may be worked on.

use std::{future::Future, ops::Range, time::Duration};

use futures_util::future::join_all;
use shared::{
    model::{JobState, PoolName},
    queue::{Adoption, LeaseId, Progress, QueueError, Reserved, Settlement, What},
};
use tokio::time::{Instant, sleep};

use crate::support::{LEASE, TestQueue, connect, job, message, pool, worker};

fn done() -> Settlement {
    Settlement::Done { detail: "Succeeded".to_owned() }
}

#[tokio::test]
async fn no_more_jobs_are_leased_than_the_pool_allows_however_many_ask() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 3").await;
    for id in 1..=50 {
        test.enqueue(id).await;
    }

    let workers: Vec<String> = (0..20).map(|number| format!("w{number}")).collect();
    let reserved = join_all(workers.iter().map(|name| test.try_reserve(name))).await;
    let jobs = reserved.into_iter().filter(|reserved| matches!(reserved, Reserved::Job(_))).count();
    assert_eq!(jobs, 3);
    let status = test.queue.status().await.unwrap();
    assert_eq!((status.pools[0].limit, status.pools[0].starting, status.pools[0].pending), (3, 3, 47));
}

#[tokio::test]
async fn a_scope_at_its_limit_does_not_hold_up_the_others_and_goes_on_when_a_slot_is_free() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 10\nmax_per_scope = 1").await;
    for id in 1..=2 {
        test.enqueue(id).await;
    }
    let mut other = message(3);
    other.scope = "octo/quiet".parse().unwrap();
    test.queue.enqueue(&other).await.unwrap();

    let first = test.reserve("a").await;
    assert_eq!(test.reserve("a").await.job_id(), job(3));
    assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
    test.queue.settle(first, done()).await.unwrap();
    assert_eq!(test.reserve("a").await.job_id(), job(2));
}

#[tokio::test]
async fn a_scope_does_not_lose_its_turn_by_the_jobs_that_were_cancelled() {
    let test = TestQueue::new().await;
    for id in 11..=20 {
        let mut quiet = message(id);
        quiet.scope = "octo/quiet".parse().unwrap();
        test.queue.enqueue(&quiet).await.unwrap();
    }
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    for id in 11..20 {
        test.queue.cancel(&pool(), job(id), None, "cancelled at GitHub").await.unwrap();
    }
    assert_eq!(test.reserve("a").await.job_id(), job(20));
}

#[tokio::test]
async fn a_job_that_was_starting_when_its_worker_died_starts_elsewhere_and_the_dead_one_cannot_settle_it() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lost = test.reserve("dead").await;

    let lease = take_over(&test).await;
    assert_eq!(lease.job_id(), job(1));
    assert!(lease.id().epoch > lost.id().epoch);
    let error = test.queue.settle(lost, done()).await.unwrap_err();
    assert!(matches!(error, QueueError::LeaseLost { .. }), "{error}");
    assert_eq!(test.queue.settle(lease, done()).await.unwrap(), JobState::Done);
}

/// Asks for a job, as idle workers do, until one is there.
async fn take_over(test: &TestQueue) -> shared::queue::Lease {
    let deadline = Instant::now() + 5 * LEASE;
    while Instant::now() < deadline {
        if let Reserved::Job(lease) = test.try_reserve("alive").await {
            return *lease;
        }
        sleep(LEASE / 10).await;
    }
    panic!("nobody took the job over");
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_given_up_the_third_time() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let _first = test.reserve("dead").await;
    for _ in 0..2 {
        take_over(&test).await;
    }

    let deadline = Instant::now() + 5 * LEASE;
    while test.state(1).await != Some(JobState::Dead) && Instant::now() < deadline {
        test.try_reserve("alive").await;
        sleep(LEASE / 10).await;
    }
    let record = test.queue.job(job(1)).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Dead);
    assert_eq!(record.error.as_deref(), Some("its worker died 3 times while preparing the runner"));
}

#[tokio::test]
async fn a_job_whose_runner_is_up_is_not_started_again_and_any_worker_that_finds_the_runner_may_take_it() {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 1").await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    let mut lost = test.reserve("dead").await;
    lost.happened(What::Started, "");
    test.queue.progress(&mut lost, Progress { started: true, ..Progress::default() }).await.unwrap();

    assert!(matches!(
        test.queue.adopt(&pool(), &worker("alive"), job(1), 1).await.unwrap(),
        Adoption::Refused(Some(JobState::Running))
    ));
    let deadline = Instant::now() + 5 * LEASE;
    while test.state(1).await != Some(JobState::Orphaned) && Instant::now() < deadline {
        assert!(matches!(test.try_reserve("alive").await, Reserved::Full), "the slot is held");
        sleep(LEASE / 10).await;
    }

    let Adoption::Adopted(lease) = test.queue.adopt(&pool(), &worker("alive"), job(1), 1).await.unwrap() else {
        panic!("not adopted")
    };
    assert!(test.queue.progress(&mut lost, Progress::default()).await.is_err());
    assert_eq!(test.queue.settle(*lease, done()).await.unwrap(), JobState::Done);
    assert_eq!(test.reserve("alive").await.job_id(), job(2));
}

#[tokio::test]
async fn a_worker_that_comes_back_under_its_name_gets_its_runners_at_once() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lost = test.reserve("a").await;

    let adoption = test.queue.adopt(&pool(), &worker("a"), job(1), 1).await.unwrap();
    let Adoption::Adopted(lease) = adoption else { panic!("{adoption:?}") };
    assert_eq!((lease.id().attempt, lease.id().epoch), (1, lost.id().epoch + 1));
    assert_eq!(lease.job, message(1));
}

#[tokio::test]
async fn a_runner_that_has_ended_is_done_even_if_its_worker_dies_before_it_says_so() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let mut lease = test.reserve("dead").await;
    test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    test.queue.progress(&mut lease, Progress { exited: Some("Succeeded"), ..Progress::default() }).await.unwrap();

    let deadline = Instant::now() + 5 * LEASE;
    while test.state(1).await != Some(JobState::Done) && Instant::now() < deadline {
        test.try_reserve("alive").await;
        sleep(LEASE / 10).await;
    }
    assert_eq!(test.state(1).await, Some(JobState::Done));
}

#[tokio::test]
async fn beats_keep_a_lease_and_name_those_that_are_lost() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;
    let unknown = LeaseId { job: job(7), attempt: 1, epoch: 1 };

    for _ in 0..6 {
        sleep(LEASE / 3).await;
        let beat = test.queue.beat(&pool(), &[lease.id(), unknown]).await.unwrap();
        assert_eq!(beat.lost, [unknown]);
        assert!(matches!(test.try_reserve("b").await, Reserved::Empty { .. }));
    }
    assert_eq!(test.queue.settle(lease, done()).await.unwrap(), JobState::Done);
}

#[tokio::test]
async fn healthy_workers_keep_their_jobs_when_it_was_the_store_that_was_away() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let lease = test.reserve("a").await;
    test.try_reserve("b").await;

    sleep(2 * LEASE).await; // nobody calls: as if the store had been frozen
    assert!(matches!(test.try_reserve("b").await, Reserved::Empty { .. }), "the job was given to another");
    let beat = test.queue.beat(&pool(), &[lease.id()]).await.unwrap();
    assert_eq!(beat.lost, []);
}

/// After how long a worker that waits up to five seconds is woken by what is done after a tenth of a second.
async fn woken(test: &TestQueue, done: impl Future<Output = ()>) -> Duration {
    let waiter = connect(test.store.url());
    let pools: [PoolName; 2] = ["other".parse().unwrap(), pool()];
    waiter.wait(&pools, Duration::from_millis(10)).await.unwrap(); // connects, and takes the marker of what was before
    let (after, ()) = tokio::join!(
        async {
            let start = Instant::now();
            waiter.wait(&pools, Duration::from_secs(5)).await.unwrap();
            start.elapsed()
        },
        async {
            sleep(Duration::from_millis(100)).await;
            done.await;
        }
    );
    after
}

const HOUR: Duration = Duration::from_hours(1);

const SOON: Range<Duration> = Duration::from_millis(80)..Duration::from_secs(2);

#[tokio::test]
async fn a_waiting_worker_wakes_when_a_job_comes() {
    let test = TestQueue::new().await;
    let after = woken(&test, test.enqueue(1)).await;
    assert!(SOON.contains(&after), "{after:?}");
}

#[tokio::test]
async fn a_waiting_worker_hears_when_a_job_that_was_put_off_is_due() {
    let test = TestQueue::new().await;
    for (id, settlement) in [
        (1, Settlement::Retry { delay: HOUR, error: "no".to_owned() }),
        (2, Settlement::Release { delay: HOUR, reason: "no".to_owned() }),
    ] {
        test.enqueue(id).await;
        let lease = test.reserve("a").await;
        assert!(matches!(test.try_reserve("a").await, Reserved::Empty { .. }));
        let settled = async {
            test.queue.settle(lease, settlement).await.unwrap();
        };
        let after = woken(&test, settled).await;
        assert!(SOON.contains(&after), "{id}: {after:?}");
        let Reserved::Empty { next_due: Some(due) } = test.try_reserve("a").await else { panic!("nothing is due") };
        assert!(due <= HOUR, "{due:?}");
    }
}

#[tokio::test]
async fn what_has_happened_comes_onto_the_record_with_a_beat_and_only_once() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.enqueue(2).await;
    let (mut first, mut second) = (test.reserve("a").await, test.reserve("a").await);
    first.happened(What::Listening, "");
    second.happened(What::Listening, "");
    second.happened(What::Running, "build");
    let leases = [&first, &second].map(|lease| (lease.id(), lease.news()));
    for _ in 0..2 {
        assert_eq!(test.queue.beat_with_news(&pool(), &leases).await.unwrap().lost, []);
    }
    test.queue.progress(&mut second, Progress::default()).await.unwrap();

    for (id, happened) in [(first.job_id(), vec!["listening"]), (second.job_id(), vec!["listening", "running"])] {
        let record = test.queue.job(id).await.unwrap().unwrap();
        let told: Vec<&str> = record.events.iter().map(|event| event.what.as_str()).collect();
        assert_eq!(told, [vec!["delivered", "reserved"], happened].concat());
    }
}
