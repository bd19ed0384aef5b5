//! Row 5: webhooks that come often, late, out of order, all at once, and again.

use std::time::{Duration, Instant};

use devstack::{
    deliver::{Answer, ContentType, Delivery, HOOK_ID},
    github::{Choice, Conclusion, Effect, Fault, HookTarget, JobStatus},
};
use futures_util::future::join_all;
use secrecy::SecretString;
use shared::model::JobState;

use crate::{
    counts::Counts,
    spec::{LEASE, Options, job},
    world::{PATIENCE, SECRET, World, alone, turn},
};

/// No delivery takes longer, whatever Redis does: GitHub waits for ten seconds.
pub(crate) const ANSWERED: Duration = Duration::from_secs(3);

const BURST: usize = 2000;

/// Delivers to one of the ingests.
pub(crate) async fn deliver(world: &World, ingest: usize, guid: &str, payload: &[u8]) -> u16 {
    let delivery = Delivery {
        url: format!("{}/webhook", world.ingest_url(ingest)),
        event: "workflow_job".to_owned(),
        guid: guid.to_owned(),
        hook: HOOK_ID,
        target: HookTarget::Repository,
        content_type: ContentType::Json,
        payload: payload.to_vec(),
    };
    let begun = Instant::now();
    let Answer { status, .. } = delivery.send(&world.http, &SecretString::from(SECRET)).await.unwrap();
    assert!(begun.elapsed() < ANSWERED, "{status} after {:?}", begun.elapsed());
    status
}

#[tokio::test]
async fn a_job_gets_one_runner_however_often_it_is_delivered() {
    let _turn = turn().await;
    let mut world = World::start(Options { ingests: 3, ..Options::default() }).await;
    let id = world.github.add_job(job("octocat/one", "default", "sleep 1"));
    let payload = world.github.payload(id).unwrap();
    let all = (0..100).map(|number| deliver(&world, number % 3, "guid-1", &payload));
    let answers = join_all(all).await;
    let stored = answers.iter().filter(|status| **status == 202).count();
    assert_eq!((stored, answers.iter().filter(|status| **status == 200).count()), (1, 99));
    for number in 0..3 {
        assert_eq!(deliver(&world, number, &format!("guid-2{number}"), &payload).await, 200, "another delivery of it");
    }
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("one GUID 100 times, and others");
    assert_eq!(counts.runners, 1);
}

#[tokio::test]
async fn a_job_that_was_completed_before_its_queued_came_gets_no_runner() {
    let _turn = turn().await;
    let mut world = World::start(Options::default()).await;
    let id = world.github.add_job(job("octocat/one", "default", "true"));
    let payload = world.github.payload(id).unwrap();
    assert!(world.github.cancel_job(id));
    world.until("its end is known", async || world.record(id).await.is_some()).await;
    assert!(deliver(&world, 0, "late", &payload).await < 300);
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("completed before queued");
    assert_eq!((counts.runners, world.record(id).await.unwrap().state), (0, JobState::Cancelled));
}

#[tokio::test]
async fn a_job_that_is_completed_while_its_runner_starts_leaves_none_behind() {
    let _turn = turn().await;
    let mut world = World::start(Options::default()).await;
    world.docker.fault(Fault::once("POST", "/containers/*/start", Effect::Delay(2000)));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("its runner starts", async || world.docker.faults_left() == 0).await;
    assert!(world.github.cancel_job(id));
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("completed while it started");
    assert_eq!((counts.cancelled, counts.done, world.github.runners().len()), (1, 0, 0));
}

/// What there is of it is gone, whichever step took so long.
#[tokio::test]
async fn a_job_that_is_cancelled_while_its_runner_is_prepared_gets_none() {
    let _turn = turn().await;
    let mut world = World::start(Options::default()).await;
    let long = Effect::Delay(LEASE * 1000);
    for (step, created) in [("generate-jitconfig", 0), ("create", 1)] {
        world.github.fault(Fault::once("POST", format!("/repos/*/{step}"), long.clone()));
        world.docker.fault(Fault::once("POST", format!("/containers/*/{step}"), long.clone()));
        let id = world.github.queue_job(job("octocat/one", "default", "true"));
        world.until("the step is begun", async || world.github.faults_left() + world.docker.faults_left() == 1).await;
        assert!(world.github.cancel_job(id));
        world.rest(PATIENCE).await;
        let counts = Counts::of(&world);
        counts.hold(&format!("cancelled during {step}"));
        let record = world.record(id).await.unwrap();
        assert_eq!((record.state, record.attempts), (JobState::Cancelled, 0), "{record:#?}");
        assert_eq!((counts.runners, world.docker.counts().created), (0, created));
        world.until("no registration is left", async || world.github.runners().is_empty()).await;
        world.github.clear_faults();
        world.docker.clear_faults();
    }
}

/// GitHub is asked whether the job still waits, and meanwhile it is cancelled in the queue.
#[tokio::test]
async fn a_job_that_is_cancelled_before_its_runner_is_registered_has_none_at_github() {
    let _turn = turn().await;
    let mut world = World::start(Options::default()).await;
    world.github.fault(Fault::once("POST", "/repos/*/generate-jitconfig", Effect::status(404, "Not Found")));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("it is a dead letter", async || world.store.count("default", "dead") == Some(1)).await;
    world.github.fault(Fault::once("GET", "/repos/*/actions/jobs/*", Effect::Delay(LEASE * 1000)));
    world.command(&["dead", "replay", "--all"]).await;
    world.until("GitHub is asked", async || world.github.faults_left() == 0).await;
    world.queue.cancel(&"default".parse().unwrap(), id.to_string().parse().unwrap(), None, "enough").await.unwrap();
    world.until("it is settled", async || world.open() == Some(0)).await;
    let record = world.record(id).await.unwrap();
    assert_eq!((record.state, record.attempts), (JobState::Cancelled, 0), "{record:#?}");
    assert_eq!(world.github.count("POST", "/repos/{owner}/{repo}/actions/runners/generate-jitconfig"), 1);
    assert!(world.github.cancel_job(id));
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("cancelled before it is registered");
}

/// GitHub gives A to the runner that was made for B, before A's webhook has come: then B gets another, and A none.
#[tokio::test]
async fn a_job_whose_runner_took_another_gets_another_runner() {
    let _turn = turn().await;
    let mut world = World::start(Options { choice: Choice::Longest, ..Options::default() }).await;
    let a = world.github.add_job(job("octocat/one", "default", "sleep 1"));
    let late = world.github.payload(a).unwrap();
    let b = world.github.queue_job(job("octocat/one", "default", "true"));
    world.github.wait_for_job(a, JobStatus::Completed, PATIENCE).await.unwrap();
    assert!(deliver(&world, 0, "late", &late).await < 300);
    world.rest(PATIENCE).await;
    for id in [a, b] {
        assert_eq!(world.github.job(id).unwrap().conclusion, Some(Conclusion::Success));
    }
    let counts = Counts::of(&world);
    counts.hold("crossover");
    assert_eq!((counts.runners, counts.idle), (2, 0));
}

/// The webhook that A runs on B's runner comes while A's own runner is prepared, which would take B. But that one fails, for the
/// last time: A has run, so B gets the runner, at once.
#[tokio::test]
async fn a_job_whose_runner_took_one_whose_own_fails_gets_another_runner() {
    const FIRST: u64 = 41_000_000_001;
    let _turn = turn().await;
    let env = [("QUEUE_MAX_ATTEMPTS", "1".to_owned())].into();
    let mut world = World::start(Options { choice: Choice::Longest, env, ..Options::default() }).await;
    let of_a = |what: &str, effect| Fault::once("POST", format!("/containers/gha-{FIRST}-1/{what}"), effect);
    world.docker.fault(of_a("create", Effect::Delay(4000)));
    world.docker.fault(of_a("start", Effect::status(500, "no space left on device")));
    let a = world.github.queue_job(job("octocat/one", "default", "true"));
    assert_eq!(a, FIRST);
    world.until("A's runner is prepared", async || world.docker.faults_left() == 1).await;
    let b = world.github.queue_job(job("octocat/one", "default", "true"));
    world.github.wait_for_job(a, JobStatus::Completed, PATIENCE).await.unwrap();
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("crossover with a failure");
    assert_eq!(world.github.job(b).unwrap().status, JobStatus::Completed, "{:#?}", world.record(b).await);
    assert_eq!((counts.runners, counts.dead), (2, 0));
}

#[tokio::test]
async fn a_burst_is_taken_in_by_three_ingests() {
    let _alone = alone().await;
    let mut world = World::still(Options { ingests: 3, workers: 1, ..Options::default() }).await;
    let begun = Instant::now();
    for number in 0..BURST {
        if number % 100 == 0 {
            world.next_ingest();
        }
        world.github.queue_job(job(&format!("octocat/repo-{}", number % 10), "default", "true"));
    }
    let stored = || world.store.count("default", "queued") == Some(BURST as u64);
    world.until("all are stored", async || stored()).await;
    println!("burst: {BURST} jobs are stored after {:?}", begun.elapsed());
    world
        .until("all are answered", async || {
            let deliveries = world.github.deliveries();
            deliveries.len() == BURST && deliveries.iter().all(|delivered| delivered.status == Some(202))
        })
        .await;
}
