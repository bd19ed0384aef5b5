//! A Docker engine that goes away and comes back.

use std::time::Duration;

use devstack::{
    github::{JobSpec, JobStatus},
    harness::{Engine, EngineOptions},
};
use shared::model::JobState;
use tokio::time::{Instant, sleep};

use crate::world::{Options, PATIENCE, World};

const JIT: &str = "/repos/{owner}/{repo}/actions/runners/generate-jitconfig";

/// How soon a worker is to know that its engine is away, and that it is back: it asks every 5 s, or 10 s at most. The
/// machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(20);

fn job(script: &str) -> JobSpec {
    JobSpec { script: script.to_owned(), ..JobSpec::of("octocat/hello".parse().unwrap()) }
}

/// A world on an engine of its own, which can be stopped.
async fn with_engine() -> (Engine, World) {
    let engine = Engine::start(EngineOptions::default()).await.unwrap();
    let docker = engine.client().await.unwrap();
    let options = Options { engine: Some((engine.host().to_owned(), docker)), ..Options::default() };
    (engine, World::start(options).await)
}

async fn is_ready_again(world: &World, status: u16) {
    let begun = Instant::now();
    world.until(&format!("/readyz says {status}"), async || world.ready().await == Some(status)).await;
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn while_the_engine_is_away_jobs_wait_and_say_so_and_when_it_is_back_they_run() {
    let (mut engine, world) = with_engine().await;
    engine.stop().await.unwrap();
    is_ready_again(&world, 503).await;
    assert_eq!(world.live().await, Some(200));

    let id = world.github.queue_job(job("true"));
    let away =
        format!("waiting for a worker: {} cannot start a runner: the container engine does not answer", world.name);
    world
        .until("the record says what it waits for", async || {
            world.record(id).await.is_some_and(|record| record.reason.starts_with(&away))
        })
        .await;
    sleep(Duration::from_secs(2)).await;
    let record = world.record(id).await.unwrap();
    assert_eq!((record.state, record.attempts), (JobState::Pending, 0), "{record:?}");
    assert!(!record.events.iter().any(|event| event.what == "reserved"), "{record:?}");
    assert_eq!(world.github.count("POST", JIT), 0);

    engine.restart().await.unwrap();
    is_ready_again(&world, 200).await;
    let record = world.record_when(id, JobState::Done).await;
    assert_eq!(record.attempts, 0, "{record:?}");
    assert!(record.reason.contains("Succeeded"), "{record:?}");
    world.end().await;
}

/// A world with a job that runs, for longer than any test takes.
async fn with_running_job() -> (Engine, World, u64) {
    let (engine, world) = with_engine().await;
    let id = world.github.queue_job(job("sleep 300"));
    world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
    world
        .until("the record says that it runs", async || {
            world.record(id).await.is_some_and(|record| record.events.iter().any(|event| event.what == "running"))
        })
        .await;
    (engine, world, id)
}

/// When the engine is back, the job has an end that says what happened, and the next one runs.
async fn is_explained(mut engine: Engine, world: World, id: u64) {
    engine.restart().await.unwrap();
    is_ready_again(&world, 200).await;
    let record = world.record_when(id, JobState::Done).await;
    // An engine that comes back, or goes, ends what runs: with time to cancel the job, or without.
    let said = ["Canceled", "ended before it told a result: exit code"];
    assert!(said.iter().any(|said| record.reason.contains(said)), "{record:?}");
    assert!(!record.reason.contains("somebody removed"), "{record:?}");
    assert_eq!(record.attempts, 0, "{record:?}");
    assert_eq!(world.github.count("POST", JIT), 1, "a job that was taken is not started again");

    let next = world.github.queue_job(job("true"));
    let record = world.record_when(next, JobState::Done).await;
    assert!(record.reason.contains("Succeeded"), "{record:?}");
    world.end().await;
}

#[tokio::test]
async fn a_job_is_held_while_its_engine_is_dead_and_says_how_its_runner_ended_afterwards() {
    let (mut engine, world, id) = with_running_job().await;
    engine.kill().unwrap();
    is_ready_again(&world, 503).await;
    sleep(Duration::from_secs(3)).await;
    let record = world.record(id).await.unwrap();
    assert_eq!(record.state, JobState::Running, "its runner may be up, as far as can be seen: {record:?}");
    is_explained(engine, world, id).await;
}

#[tokio::test]
async fn a_job_whose_engine_is_stopped_says_how_its_runner_ended() {
    let (mut engine, world, id) = with_running_job().await;
    engine.stop().await.unwrap();
    is_ready_again(&world, 503).await;
    is_explained(engine, world, id).await;
}
