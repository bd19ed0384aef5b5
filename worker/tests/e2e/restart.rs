//! A worker that stops, or is killed, under a running job.

use devstack::{
    github::{JobSpec, JobStatus},
    harness::Signal,
};
use shared::model::JobState;

use crate::world::{Options, PATIENCE, World};

fn long_job() -> JobSpec {
    JobSpec { script: "sleep 8".to_owned(), ..JobSpec::of("octocat/hello".parse().unwrap()) }
}

/// However the worker ends, its runner goes on, and its successor takes it over.
async fn is_adopted(signal: Signal) {
    let mut world = World::start(Options::default()).await;
    let id = world.github.queue_job(long_job());
    world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
    world
        .until("the record says so", async || {
            world.record(id).await.is_some_and(|record| record.events.iter().any(|event| event.what == "running"))
        })
        .await;

    world.worker().signal(signal).unwrap();
    world.worker().wait(PATIENCE).await.unwrap();
    assert_eq!(world.containers().await.len(), 1, "the runner goes on");
    world.start_worker().await;

    let record = world.record_when(id, JobState::Done).await;
    assert!(record.events.iter().any(|event| event.what == "adopted"), "{record:?}");
    assert!(record.reason.contains("Succeeded"), "{}", record.reason);
    assert_eq!(world.github.count("POST", "/repos/{owner}/{repo}/actions/runners/generate-jitconfig"), 1);
    world.end().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_leaves_its_runner_to_run_and_its_successor_adopts_it() {
    is_adopted(Signal::TERM).await;
}

#[tokio::test]
async fn a_worker_that_is_killed_leaves_its_runner_to_its_successor() {
    is_adopted(Signal::KILL).await;
}
