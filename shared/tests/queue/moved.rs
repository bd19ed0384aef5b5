//! What becomes of jobs that are moved to a store of the other kind, and of the store that they were in.

use std::time::Duration;

use redis::from_redis_value;
use shared::{
    model::{JobId, JobState, Scope},
    queue::{
        Adoption, Announcement, DeadLetters, IdleRunner, JobRecord, Lease, LimitChange, Progress, QueueError, Reserved,
        Room, Settlement, Unmatched,
    },
};
use tokio::time::{Instant, sleep};

use crate::{
    crossover::{done, others, serve, started},
    support::{LEASE, POOL, TestQueue, connect, job, message, parse, pool, told, worker},
};

fn scope(name: &str) -> Scope {
    name.parse().unwrap()
}

async fn enqueue(test: &TestQueue, id: u64, of: &str) {
    let mut message = message(id);
    message.scope = scope(of);
    test.queue.enqueue(&message).await.unwrap();
}

/// Reserves a job and settles it.
async fn settled(test: &TestQueue, settlement: Settlement) {
    let lease = test.reserve("a").await;
    test.queue.settle(lease, settlement).await.unwrap();
}

fn unmatched(id: u64) -> Unmatched {
    Unmatched {
        job_id: job(id),
        repository: "octo/repo".parse().unwrap(),
        labels: "arm".parse().unwrap(),
        delivery: "unmatched".parse().unwrap(),
        reason: "no_matching_pool",
        detail: "no pool has arm".to_owned(),
    }
}

/// All records, by id. What those that are pending wait for is not theirs, but their pool's.
pub(crate) async fn records(test: &TestQueue) -> Vec<JobRecord> {
    let mut records = test.queue.jobs(None, 10_000).await.unwrap();
    records.iter_mut().filter(|record| record.state == JobState::Pending).for_each(|record| record.reason.clear());
    records.sort_by_key(|record| record.id);
    records
}

/// The keys of jobs that are in a store, in whatever state.
async fn left(test: &TestQueue) -> Vec<String> {
    let scan = test.command("SCAN 0 MATCH gha:{default}:* COUNT 100000").await;
    let (_end, keys): (String, Vec<String>) = from_redis_value(scan).unwrap();
    let about_no_job = ["ring", "parked", "wake", "stats", "seq", "alive", "moved", "grace"];
    let kind = |key: &String| key.strip_prefix("gha:{default}:").unwrap().to_owned();
    let is_of_a_job = |key: &String| {
        !about_no_job.contains(&key.as_str()) && !["dlv:", "waits:"].iter().any(|kind| key.starts_with(kind))
    };
    keys.iter().map(kind).filter(is_of_a_job).collect()
}

pub(crate) async fn nothing_to_repair(test: &TestQueue) {
    let audit = test.queue.audit_now(&pool(), Duration::from_hours(1), u32::MAX).await.unwrap();
    assert_eq!(audit.repaired(), 0, "{audit:?}");
}

async fn time_left(test: &TestQueue, key: &str) -> Duration {
    let left: i64 = from_redis_value(test.command(&format!("PTTL {key}")).await).unwrap();
    Duration::from_millis(left.try_into().unwrap_or(0))
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, QueueError>) {
    let error = answer.unwrap_err();
    assert!(error.is_transient() && told(&error).contains("set QUEUE_URL to that one"), "{}", told(&error));
}

#[tokio::test]
async fn jobs_that_wait_keep_their_order_within_a_scope_and_have_waited_since_when_they_did() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    for id in 1..=5 {
        enqueue(&test, id, "octo/repo").await;
    }
    settled(&test, Settlement::Retry { delay: Duration::ZERO, error: "no".to_owned() }).await; // behind the others
    test.queue.beat(&pool(), &[]).await.unwrap();
    settled(&test, Settlement::Release { delay: Duration::ZERO, reason: "not yet".to_owned() }).await; // in front
    test.queue.cancel(&pool(), job(3), None, "cancelled").await.unwrap();
    for id in 11..=12 {
        enqueue(&test, id, "octo/quiet").await;
    }
    test.queue.change_limit(&pool(), &LimitChange::Scope(scope("octo/full"), Some(0))).await.unwrap();
    enqueue(&test, 21, "octo/full").await;
    let before = records(&test).await;

    let moved = test.queue.move_to(&target.queue).await.unwrap();
    assert_eq!((moved.pools[0].jobs[&JobState::Pending], moved.pools[0].jobs[&JobState::Cancelled]), (7, 1));
    assert_eq!(records(&target).await, before);
    assert_eq!(left(&test).await, [] as [&str; 0]);
    let mut served = Vec::new();
    while let Reserved::Job(lease) = target.try_reserve("a").await {
        assert!(lease.waited >= Duration::from_millis(1));
        served.push(lease.job_id());
    }
    let of = |ids: &[u64]| ids.iter().map(|id| job(*id)).collect::<Vec<_>>();
    let (quiet, usual): (Vec<_>, Vec<_>) = served.into_iter().partition(|id| of(&[11, 12]).contains(id));
    assert_eq!((usual, quiet), (of(&[2, 4, 5, 1]), of(&[11, 12])));

    target.queue.change_limit(&pool(), &LimitChange::Scope(scope("octo/full"), None)).await.unwrap();
    assert_eq!(target.reserve("a").await.job_id(), job(21));
}

#[tokio::test]
async fn jobs_that_wait_for_a_time_come_due_and_dead_letters_are_put_back() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    let start = Instant::now();
    test.enqueue(1).await;
    settled(&test, Settlement::Retry { delay: Duration::from_millis(700), error: "no".to_owned() }).await;
    test.enqueue(2).await;
    settled(&test, Settlement::Dead { error: "it cannot be".to_owned() }).await;

    test.queue.move_to(&target.queue).await.unwrap();
    assert!(matches!(target.try_reserve("a").await, Reserved::Empty { next_due: Some(_) }));
    assert!(start.elapsed() < Duration::from_millis(700), "too slow to tell");
    sleep(Duration::from_millis(750)).await;
    let lease = target.reserve("a").await;
    assert_eq!((lease.job_id(), lease.attempts), (job(1), 1));
    assert_eq!(target.queue.replay(&DeadLetters::default()).await.unwrap(), [job(2)]);
    assert_eq!(target.reserve("a").await.job_id(), job(2));
    let record = target.queue.job(job(2)).await.unwrap().unwrap();
    assert_eq!((record.first_error.as_deref(), record.replays), (Some("it cannot be"), 1));
}

/// Job 1 is being prepared, 2's runner took job 3, 4 is running, and 5's worker fell silent.
async fn at_work() -> (TestQueue, [Lease; 3]) {
    let test = TestQueue::with("[[pool]]\nname = \"default\"\nmax_runners = 4").await;
    test.enqueue(1).await;
    let starting = test.reserve("a").await;
    test.enqueue(2).await;
    let lent = started(&test, "a").await;
    test.enqueue(3).await;
    serve(&test, 3, others(2), false).await;
    test.queue.cancel(&pool(), job(2), None, "it is to come back at last").await.unwrap();
    test.enqueue(4).await;
    let running = started(&test, "a").await;
    test.enqueue(5).await;
    let _silent = started(&test, "silent").await;
    test.run_out("5").await;
    assert_eq!(test.state(5).await, Some(JobState::Orphaned));
    (test, [starting, lent, running])
}

#[tokio::test]
async fn runners_keep_their_slots_and_their_workers_settle_them_in_the_new_store() {
    let (test, [starting, lent, running]) = at_work().await;
    let target = TestQueue::elsewhere().await;
    let before = records(&test).await;
    let moved = test.queue.move_to(&target.queue).await.unwrap();
    let jobs = &moved.pools[0].jobs;
    let leased = [JobState::Starting, JobState::Running, JobState::Orphaned].map(|state| jobs[&state]);
    assert_eq!(leased, [1, 1, 1]);
    assert_eq!(records(&target).await, before);
    assert_eq!(left(&test).await, [] as [&str; 0]);
    nothing_to_repair(&target).await;

    sleep(2 * LEASE).await; // nobody has been there yet
    target.enqueue(9).await;
    assert!(matches!(target.try_reserve("b").await, Reserved::Full), "the lent runner's is the fourth slot");
    let Adoption::Adopted(adopted) = target.queue.adopt(&pool(), &worker("a"), job(4), 1).await.unwrap() else {
        panic!("not adopted")
    };
    assert_eq!((adopted.id().attempt, adopted.id().epoch), (1, running.id().epoch + 1));
    let beat = target.queue.beat(&pool(), &[starting.id(), lent.id(), adopted.id(), running.id()]).await.unwrap();
    assert_eq!(beat.lost, [running.id()]);
    assert_eq!(target.queue.settle(starting, done()).await.unwrap(), JobState::Done);
    assert_eq!(target.queue.settle(*adopted, done()).await.unwrap(), JobState::Done);
    assert_eq!(target.queue.settle(lent, done()).await.unwrap(), JobState::Done);
    let Adoption::Adopted(found) = target.queue.adopt(&pool(), &worker("b"), job(5), 1).await.unwrap() else {
        panic!("not adopted")
    };
    assert_eq!(target.queue.settle(*found, done()).await.unwrap(), JobState::Done);
    assert_eq!(target.state(2).await, Some(JobState::Cancelled));
    assert_eq!(target.reserve("b").await.job_id(), job(9));
    nothing_to_repair(&target).await;
    let expiry = time_left(&target, "gha:{default}:job:2").await;
    assert!(expiry > Duration::from_hours(167), "its record expires once its runner has ended: {expiry:?}");
}

#[tokio::test]
async fn nobody_comes_for_a_slot_so_it_is_free_in_the_end() {
    let (test, _lost) = at_work().await;
    let target = TestQueue::elsewhere().await;
    test.queue.move_to(&target.queue).await.unwrap();
    for entry in ["1", "2~1", "4", "5"] {
        target.command(&format!("ZADD gha:{{default}}:lease XX 1 {entry}")).await;
    }
    target.queue.beat(&pool(), &[]).await.unwrap();
    let status = target.queue.status().await.unwrap();
    assert_eq!((status.pools[0].pending, status.pools[0].orphaned, status.pools[0].dead), (1, 2, 1));
}

#[tokio::test]
async fn records_are_readable_for_as_long_as_they_would_have_been() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    test.enqueue(1).await;
    settled(&test, done()).await;
    test.queue.cancel(&pool(), job(2), None, "before it came").await.unwrap();
    test.queue.record_unmatched(&unmatched(3)).await.unwrap();
    test.command("PEXPIRE gha:{default}:job:1 50000").await;
    test.enqueue(4).await;
    settled(&test, done()).await;
    test.command("PEXPIRE gha:{default}:job:4 1").await;
    sleep(Duration::from_millis(5)).await;
    test.queue.beat(&pool(), &[]).await.unwrap(); // a file forgets what has expired with the next change
    let before = records(&test).await;

    let moved = test.queue.move_to(&target.queue).await.unwrap();
    assert_eq!((moved.pools[0].jobs[&JobState::Done], moved.unmatched), (1, 1));
    assert_eq!(records(&target).await, before);
    assert_eq!(target.story(1).await, ["delivered", "reserved", "done"]);
    assert_eq!(target.state(3).await, Some(JobState::Unmatched));
    for key in ["job:1", "events:1"] {
        let left = time_left(&target, &format!("gha:{{default}}:{key}")).await;
        assert!(left > Duration::from_secs(30) && left <= Duration::from_secs(50), "{key}: {left:?}");
    }
    let left = time_left(&target, "gha:{*}:job:3").await;
    assert!(left > Duration::from_hours(167), "{left:?}");
    target.enqueue(2).await;
    assert!(matches!(target.try_reserve("a").await, Reserved::Empty { .. }), "its tombstone has come along");
}

#[tokio::test]
async fn limits_come_along_but_for_those_that_were_set_there() {
    let pools =
        "[[pool]]\nname = \"default\"\nmax_runners = 7\nmax_per_scope = 3\n[[pool]]\nname = \"gpu\"\nmax_per_scope = 2";
    let (test, target) = (TestQueue::with(pools).await, TestQueue::elsewhere().await);
    let gpu = "gpu".parse().unwrap();
    test.queue.change_limit(&pool(), &LimitChange::Pool(Some(2))).await.unwrap();
    test.queue.change_limit(&pool(), &LimitChange::Scope(scope("octo/repo"), Some(1))).await.unwrap();
    test.queue.change_limit(&gpu, &LimitChange::Pool(Some(4))).await.unwrap();
    let before = test.queue.limits().await.unwrap();
    // A worker is there already, with other settings, and so was an operator.
    target.queue.set_limits(&parse("[[pool]]\nname = \"gpu\"\nmax_runners = 9")).await.unwrap();
    target.queue.change_limit(&gpu, &LimitChange::EachScope(Some(8))).await.unwrap();

    test.queue.move_to(&target.queue).await.unwrap();
    let after = target.queue.limits().await.unwrap();
    assert_eq!(after[0], before[0]);
    assert_eq!((after[1].max_runners, after[1].max_per_scope), (Some(4), Some(8)), "set by hand");
    assert_eq!((after[1].configured, after[1].configured_per_scope), (Some(9), None));

    target.queue.change_limit(&pool(), &LimitChange::Pool(None)).await.unwrap();
    target.queue.move_to(&test.queue).await.unwrap();
    assert_eq!(test.queue.limits().await.unwrap()[0].max_runners, Some(7), "it was taken back meanwhile");
}

#[tokio::test]
async fn the_store_that_was_moved_away_from_refuses_whoever_goes_on_with_it_and_tells_what_to_do() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    test.enqueue(1).await;
    let mut lease = test.reserve("a").await;
    let late = connect(test.store.url());
    test.queue.move_to(&target.queue).await.unwrap();

    for queue in [&test.queue, &late] {
        is_refused(queue.enqueue(&message(2)).await);
        is_refused(queue.cancel(&pool(), job(1), None, "no").await);
        is_refused(queue.note(&pool(), job(1), &"d".parse().unwrap(), "no").await);
        is_refused(queue.record_unmatched(&unmatched(3)).await);
        is_refused(queue.reserve(&pool(), &worker("a")).await);
        is_refused(queue.beat(&pool(), &[lease.id()]).await);
        is_refused(queue.adopt(&pool(), &worker("a"), job(1), 1).await);
        is_refused(queue.restore(lease.id(), &lease.backup()).await);
        is_refused(queue.progress(&mut lease, Progress::default()).await);
        is_refused(queue.has_startable(&pool()).await);
        is_refused(queue.refill(parse(POOL).get(&pool()).unwrap(), &worker("a"), JobId::warm(1), &[]).await);
        is_refused(
            queue
                .spare(&lease, IdleRunner { wanted: 0, job_is_gone: false, is_outdated: false, room: Room::Enough })
                .await,
        );
        is_refused(queue.has_demand(&pool(), &scope("octo/repo")).await);
        is_refused(queue.pause(&[pool()], LEASE, "no").await);
        is_refused(queue.stop(&pool(), LEASE, "no").await);
        is_refused(queue.try_again(&[pool()]).await);
        is_refused(queue.change_limit(&pool(), &LimitChange::Pool(Some(1))).await);
        is_refused(queue.audit_now(&pool(), LEASE, 1).await);
        is_refused(queue.reopen(&pool(), job(1), 1, (job(2), None)).await);
        let said = Announcement { capacity: 1, runners: 0, pools: vec!["new".parse().unwrap()], problem: None };
        is_refused(queue.announce(&worker("a"), said).await);
        is_refused(queue.ping().await);
        is_refused(queue.check().await);
    }
    let mut new = message(4);
    new.pool = "never-seen".parse().unwrap();
    is_refused(test.queue.enqueue(&new).await);
    is_refused(test.queue.cancel(&new.pool, job(4), None, "before it came").await);
    is_refused(test.queue.set_limits(&parse("[[pool]]\nname = \"another\"")).await);
    let given_up = tokio::time::timeout(LEASE, test.queue.settle(lease, done())).await;
    assert!(given_up.is_err(), "it tries on, as when the store is away");

    assert_eq!(records(&test).await, []);
    assert_eq!(target.state(1).await, Some(JobState::Starting));
    target.queue.ping().await.unwrap();
}

#[tokio::test]
async fn a_store_is_not_moved_to_itself_by_whatever_address() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let url = test.store.url();
    let other = url.replace("127.0.0.1", "localhost").replace("/queue.db", "/./queue.db");
    assert_ne!(url, other);
    for url in [url, other] {
        let error = test.queue.move_to(&connect(url)).await.unwrap_err();
        assert!(matches!(error, QueueError::SameStore) && !error.is_transient(), "{error}");
    }
    assert_eq!(test.reserve("a").await.job_id(), job(1));
}

#[tokio::test]
async fn jobs_can_be_moved_back() {
    let (test, target) = (TestQueue::new().await, TestQueue::elsewhere().await);
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    let lease = test.reserve("a").await;
    test.queue.move_to(&target.queue).await.unwrap();
    let second = target.reserve("a").await;
    target.queue.settle(second, Settlement::Dead { error: "no".to_owned() }).await.unwrap();
    target.enqueue(4).await;
    let before = records(&target).await;

    target.queue.move_to(&test.queue).await.unwrap();
    is_refused(target.queue.ping().await);
    is_refused(target.queue.reserve(&pool(), &worker("a")).await);
    assert_eq!(records(&test).await, before);
    assert_eq!(test.queue.settle(lease, done()).await.unwrap(), JobState::Done);
    assert_eq!([test.reserve("a").await.job_id(), test.reserve("a").await.job_id()], [job(3), job(4)]);
    test.enqueue(5).await;
    assert_eq!(test.reserve("a").await.job_id(), job(5));
}
