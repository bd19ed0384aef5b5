//! Why a job is where it is.

use std::time::Duration;

use shared::{
    model::{JobMessage, RunnerName, Scope},
    queue::{Announcement, DeadLetters, Progress, Reason, Settlement, Unmatched, What},
};

use crate::{
    crossover::{done, others, serve, started},
    support::{TestQueue, job, message, pool, worker},
};

async fn explain(test: &TestQueue, id: u64) -> (Reason, String) {
    let explanation = test.queue.explain(job(id)).await.unwrap();
    (explanation.reason, explanation.text)
}

/// Asserts the reason, and that the text has all of these in it.
async fn assert_explained(test: &TestQueue, id: u64, reason: Reason, parts: &[&str]) {
    let (is, said) = explain(test, id).await;
    assert_eq!(is, reason, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

/// Lets a worker say that it serves the pool.
async fn announce(test: &TestQueue, name: &str, problem: Option<&str>) {
    let (capacity, runners, problem) = (5, 0, problem.map(str::to_owned));
    let said = Announcement { capacity, runners, pools: vec![pool()], problem };
    test.queue.announce(&worker(name), said).await.unwrap();
}

fn unmatched(id: u64, reason: &'static str, detail: &str) -> Unmatched {
    Unmatched {
        job_id: job(id),
        repository: "octo/repo".parse().unwrap(),
        labels: "gpu".parse().unwrap(),
        delivery: format!("guid-{id}").parse().unwrap(),
        reason,
        detail: detail.to_owned(),
    }
}

#[tokio::test]
async fn a_job_that_never_came_or_that_no_pool_takes() {
    let test = TestQueue::new().await;
    assert_explained(&test, 1, Reason::UnknownJob, &["never came"]).await;
    assert!(test.queue.explain(job(1)).await.unwrap().state.is_none());
    test.queue.count_refused(2).await.unwrap();
    test.queue.count_refused(1).await.unwrap();
    assert_explained(&test, 1, Reason::UnknownJob, &["3 deliveries were refused", "AUTOSCALER_SECRET_TOKEN"]).await;
    test.queue.record_unmatched(&unmatched(2, "no_matching_pool", "the nearest, default, lacks gpu")).await.unwrap();
    assert_explained(&test, 2, Reason::NoMatchingPool, &["the nearest, default, lacks gpu", "runs-on"]).await;
    test.queue.record_unmatched(&unmatched(3, "scope_not_allowed", "pool x does not serve octo/repo")).await.unwrap();
    assert_explained(&test, 3, Reason::ScopeNotAllowed, &["pool x does not serve octo/repo"]).await;
}

#[tokio::test]
async fn a_job_without_a_worker() {
    let test = TestQueue::elsewhere().await;
    test.enqueue(1).await;
    assert_explained(&test, 1, Reason::NoWorker, &["none has served this pool yet"]).await;

    let test = TestQueue::new().await;
    test.enqueue(1).await;
    assert_explained(&test, 1, Reason::NoWorker, &["none that serves pool default is there"]).await;
    announce(&test, "a", Some("the engine is away")).await;
    assert_explained(&test, 1, Reason::NoWorker, &["a cannot start a runner: the engine is away"]).await;
    announce(&test, "b", None).await;
    assert_explained(&test, 1, Reason::WaitingTurn, &["waiting for its turn", "the next of octo/repo"]).await;
    test.queue.stop(&pool(), Duration::from_hours(1), "its runner is too old").await.unwrap();
    assert_explained(&test, 1, Reason::NoWorker, &["pool default is stopped: its runner is too old"]).await;
}

#[tokio::test]
async fn a_job_without_a_slot() {
    let limited = "[[pool]]\nname = \"default\"\nmax_runners = 2\nmax_per_scope = 1";
    let test = TestQueue::with(limited).await;
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    let _first = test.reserve("a").await;
    let parts = &["octo/repo has 1 of its 1 runners", "for the jobs 1.", "It is the next of octo/repo."];
    assert_explained(&test, 2, Reason::ScopeFull, parts).await;
    assert_explained(&test, 3, Reason::ScopeFull, &["1 job of octo/repo is before it."]).await;

    let scope: Scope = "octo/other".parse().unwrap();
    for id in 4..=7 {
        test.queue.enqueue(&JobMessage { scope: scope.clone(), ..message(id) }).await.unwrap();
    }
    let _second = test.reserve("a").await;
    let parts =
        &["pool default has 2 of 2 runners", "2 jobs of octo/other are before it.", "2 repositories or organizations"];
    assert_explained(&test, 7, Reason::PoolFull, parts).await;
    let (_, said) = explain(&test, 7).await;
    assert!(said.contains("for the jobs 1, 4.") || said.contains("for the jobs 4, 1."), "{said}");
}

#[tokio::test]
async fn a_job_that_waits_for_a_time() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    test.queue.pause(&[pool()], Duration::from_mins(1), "GitHub wants no calls").await.unwrap();
    assert_explained(&test, 1, Reason::RateLimited, &["GitHub wants no calls"]).await;

    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let retry = Settlement::Retry { delay: Duration::from_hours(1), error: "no such image".to_owned() };
    test.queue.settle(test.reserve("a").await, retry).await.unwrap();
    assert_explained(&test, 1, Reason::Retrying, &["Attempt 2 of 3", "no such image"]).await;

    let reason = || "wait".to_owned();
    for (id, settlement, expected) in [
        (2, Settlement::Limited { delay: Duration::from_hours(1), reason: reason() }, Reason::RateLimited),
        (3, Settlement::Release { delay: Duration::from_hours(1), reason: reason() }, Reason::Retrying),
    ] {
        test.enqueue(id).await;
        test.queue.settle(test.reserve("a").await, settlement).await.unwrap();
        assert_explained(&test, id, expected, &["It waits until 2", ": wait. No attempt is charged"]).await;
    }
}

#[tokio::test]
async fn a_job_on_its_way() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let mut lease = test.reserve("a").await;
    assert_explained(&test, 1, Reason::Starting, &["Worker a", "is being registered"]).await;
    lease.happened(What::Registered, "gha-1-1");
    let runner: RunnerName = "gha-1-1".parse().unwrap();
    test.queue.progress(&mut lease, Progress { runner: Some(&runner), ..Progress::default() }).await.unwrap();
    assert_explained(&test, 1, Reason::Starting, &["its container is being created"]).await;
    for (what, reason) in
        [(What::Started, Reason::Starting), (What::Listening, Reason::Listening), (What::Running, Reason::Running)]
    {
        lease.happened(what, "build");
        test.queue.progress(&mut lease, Progress { started: true, ..Progress::default() }).await.unwrap();
        assert_explained(&test, 1, reason, &[if reason == Reason::Starting { "has not said yet" } else { "gha-1-1" }])
            .await;
    }
    test.run_out("1").await;
    assert_explained(&test, 1, Reason::WorkerLost, &["gha-1-1", "worker a fell silent"]).await;
}

#[tokio::test]
async fn a_job_whose_runner_took_another() {
    let test = TestQueue::new().await;
    test.enqueue(2).await;
    let _lease = started(&test, "a").await;
    test.enqueue(1).await;
    serve(&test, 1, others(2), false).await;
    announce(&test, "a", None).await;
    assert_explained(&test, 2, Reason::TakenByOtherRunner, &["took job 1", "waiting for its turn"]).await;
    assert_explained(&test, 1, Reason::Done, &["gha-2-1", "started for another job"]).await;
    let _second = test.reserve("a").await;
    assert_explained(&test, 2, Reason::Starting, &["Worker a"]).await;
}

#[tokio::test]
async fn a_job_that_has_ended() {
    let test = TestQueue::new().await;
    for id in 1..=3 {
        test.enqueue(id).await;
    }
    let dead = Settlement::Dead { error: "403: Resource not accessible".to_owned() };
    test.queue.settle(test.reserve("a").await, dead).await.unwrap();
    assert_explained(&test, 1, Reason::Dead, &["403: Resource not accessible", "worker dead replay 1"]).await;
    test.queue.settle(test.reserve("a").await, done()).await.unwrap();
    assert_explained(&test, 2, Reason::Done, &["Succeeded"]).await;
    test.queue.cancel(&pool(), job(3), None, "GitHub: cancelled before it started").await.unwrap();
    assert_explained(&test, 3, Reason::Cancelled, &["cancelled before it started"]).await;
    test.queue.drop_dead(&DeadLetters { jobs: vec![job(1)], ..DeadLetters::default() }).await.unwrap();
    assert_explained(&test, 1, Reason::Cancelled, &["an operator dropped"]).await;
}
