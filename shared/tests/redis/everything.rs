//! Every operation of the queue once, for stores that are reached in other ways than the other tests' is.

use std::time::Duration;

use shared::{
    model::{Admission, Bucket, Caller, CallerKind, Demand, Heard, JobMessage, JobState, Pace, PoolName, Verdict},
    queue::{
        Adoption, Announcement, CancelOutcome, DeadLetters, Enqueued, Lease, LimitChange, Noted, Progress, Queue,
        Reserved, Served, ServedBy, Settlement, Unmatched,
    },
};

use tokio::time::sleep;

use crate::support::{job, message, parse, worker};

/// Tells the limits of these pools.
pub(crate) async fn configure(queue: &Queue, pools: &[&str]) {
    let pools: Vec<String> =
        pools.iter().map(|name| format!("[[pool]]\nname = \"{name}\"\nmax_runners = 9\n")).collect();
    queue.set_limits(&parse(&pools.concat())).await.unwrap();
}

/// A job for one of several pools.
pub(crate) fn of(pool: &str, id: u64) -> JobMessage {
    JobMessage { pool: pool.parse().unwrap(), ..message(id) }
}

/// Reserves a job that must be there.
pub(crate) async fn reserve(queue: &Queue, pool: &PoolName) -> Lease {
    loop {
        match queue.reserve(pool, &worker("a")).await.unwrap() {
            Reserved::Job(lease) => return *lease,
            // The pool was paused for a moment before.
            Reserved::Paused(left) if left < Duration::from_millis(10) => sleep(left).await,
            other => panic!("no job: {other:?}"),
        }
    }
}

/// Does everything that a queue does, in each of the pools, and expects it to work.
pub(crate) async fn everything(queue: &Queue, pools: &[&str]) {
    assert_eq!(queue.check().await.unwrap(), [] as [&str; 0]);
    queue.ping().await.unwrap();
    configure(queue, pools).await;
    let names: Vec<PoolName> = pools.iter().map(|name| name.parse().unwrap()).collect();
    let said = Announcement { capacity: 1, runners: 0, pools: names.clone(), problem: None };
    queue.announce(&worker("a"), said).await.unwrap();
    for (number, name) in (0..).zip(pools) {
        jobs_of(queue, name, 100 * number).await;
    }
    unmatched(queue).await;
    calls(queue).await;
    queue.wait(&names, Duration::from_millis(1)).await.unwrap();

    let status = queue.status().await.unwrap();
    assert_eq!((status.pools.len(), status.workers.len()), (pools.len(), 1));
    assert!(status.pools.iter().all(|pool| pool.limit == 9 && pool.pending == 0), "{status:?}");
    assert_eq!(queue.jobs(None, 100).await.unwrap().len(), 4 * pools.len() + 1);
    assert_eq!(queue.limits().await.unwrap().len(), pools.len());
    queue.retire(&worker("a")).await.unwrap();
}

async fn jobs_of(queue: &Queue, pool: &str, first: u64) {
    let name: PoolName = pool.parse().unwrap();
    for id in 1..=4 {
        assert_eq!(queue.enqueue(&of(pool, first + id)).await.unwrap(), Enqueued::Stored);
    }
    assert_eq!(queue.enqueue(&of(pool, first + 1)).await.unwrap(), Enqueued::DuplicateDelivery);
    let cancelled = queue.cancel(&name, job(first + 1), None, "cancelled at GitHub").await.unwrap();
    assert_eq!(cancelled, CancelOutcome::Cancelled);
    let delivery = format!("note-{first}").parse().unwrap();
    assert_eq!(queue.note(&name, job(first + 2), &delivery, "it is noted").await.unwrap(), Noted::Recorded);

    queue.pause(std::slice::from_ref(&name), Duration::from_millis(1), "GitHub said so").await.unwrap();
    queue.stop(&name, Duration::from_millis(1), "its runners cannot work").await.unwrap();
    queue.try_again(std::slice::from_ref(&name)).await.unwrap();
    sleep(Duration::from_millis(5)).await;
    let mut lease = reserve(queue, &name).await;
    queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
    assert_eq!(queue.beat(&name, &[lease.id()]).await.unwrap().lost, []);
    let Adoption::Adopted(lease) = queue.adopt(&name, &worker("a"), lease.job_id(), 1).await.unwrap() else {
        panic!("not adopted")
    };
    assert_eq!(queue.runners_of(&name, &worker("a")).await.unwrap(), [(lease.job_id(), 1)]);
    crossover(queue, &name, first).await;
    assert!(queue.took_another(&name, job(first + 2), 1).await.unwrap());
    queue.settle(*lease, Settlement::Done { detail: "Succeeded".to_owned() }).await.unwrap();

    for _ in 0..2 {
        let lease = reserve(queue, &name).await;
        queue.settle(lease, Settlement::Dead { error: "no".to_owned() }).await.unwrap();
    }
    let one = DeadLetters { jobs: vec![job(first + 2)], ..DeadLetters::default() };
    assert_eq!(queue.replay(&one).await.unwrap(), [job(first + 2)]);
    let lease = reserve(queue, &name).await;
    queue.settle(lease, Settlement::Done { detail: "Succeeded".to_owned() }).await.unwrap();
    let all = DeadLetters::default();
    assert_eq!(queue.dead_letters(&all, 9).await.unwrap().len(), 1);
    assert_eq!(queue.drop_dead(&all).await.unwrap().len(), 1);

    queue.change_limit(&name, &LimitChange::Pool(Some(9))).await.unwrap();
    queue.audit(&name, Duration::from_hours(1)).await.unwrap().unwrap();
    assert_eq!(queue.audit_now(&name, Duration::from_hours(1), 99).await.unwrap().repaired(), 0);
    assert_eq!(queue.job(job(first + 2)).await.unwrap().unwrap().state, JobState::Done);
}

/// The runner of the second job takes the third.
async fn crossover(queue: &Queue, pool: &PoolName, first: u64) {
    let served = Served {
        job: job(first + 3),
        runner: "another",
        by: ServedBy::Other { job: job(first + 2), attempt: 1 },
        completed: false,
        delivery: &format!("served-{first}").parse().unwrap(),
        detail: "GitHub: in progress",
    };
    assert_eq!(queue.served(pool, &served).await.unwrap(), Noted::Recorded);
}

async fn calls(queue: &Queue) {
    let caller = Caller::new(CallerKind::Token, "somebody".to_owned());
    let pace = Pace { name: "registrations".to_owned(), cost: 1, most: 9, period: Duration::from_mins(1) };
    let endpoint = "GET a".to_owned();
    let demand = Demand { caller: caller.clone(), endpoint: Some(endpoint.clone()), urgent: false, paces: vec![pace] };
    let Admission::Go { ticket, .. } = queue.admit(&demand, Duration::ZERO).await.unwrap() else { panic!("it waits") };
    let bucket = Bucket { resource: "core".to_owned(), limit: 9, remaining: 8, reset: Duration::from_mins(1) };
    let heard = Heard { endpoint, status: Some(201), bucket: Some(bucket), verdict: Verdict::Done };
    assert_eq!(queue.heard(&caller, ticket, &heard).await.unwrap(), Duration::ZERO);
}

async fn unmatched(queue: &Queue) {
    let job = Unmatched {
        job_id: job(9999),
        repository: "octo/repo".parse().unwrap(),
        labels: "arm".parse().unwrap(),
        delivery: "unmatched".parse().unwrap(),
        reason: "no_matching_pool",
        detail: "no pool has arm".to_owned(),
    };
    queue.record_unmatched(&job).await.unwrap();
}
