//! The container of a runner is gone, and nobody has told.

use bollard::{Docker, query_parameters::RemoveContainerOptionsBuilder};
use devstack::github::{Conclusion, Effect, Fault, JobStatus};
use shared::{model::JobState, queue::JobRecord};

use crate::{
    counts::Counts,
    spec::{Options, job},
    world::{PATIENCE, World, turn},
};

const JIT: &str = "/repos/{owner}/{repo}/actions/runners/generate-jitconfig";

/// Longer than any test takes.
const LONG: &str = "sleep 300";

/// Somebody removes the containers that there are.
async fn remove_all(world: &World) {
    let client = Docker::connect_with_host(world.docker.host()).unwrap();
    for container in world.docker.containers() {
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        client.remove_container(&container.name, Some(force)).await.unwrap();
    }
}

/// Waits until something has happened to a job.
async fn happened(world: &World, id: u64, what: &str) -> JobRecord {
    let has = |record: &JobRecord| record.events.iter().any(|event| event.what == what);
    world.until(what, async || world.record(id).await.is_some_and(|record| has(&record))).await;
    world.record(id).await.unwrap()
}

/// GitHub deletes no runner that it thinks has a job, as the one of this job; but no other is left.
async fn no_other_registration_is_left(world: &World, job: u64) {
    let name = format!("gha-{job}-1");
    world.until("no other is left", async || world.github.runners().iter().all(|runner| runner.name == name)).await;
}

/// A job whose runner is up and has not reached GitHub.
async fn with_starting_runner(world: &World) -> u64 {
    world.github.fault(Fault::once("POST", "/_standin/runner/session", Effect::Delay(3_600_000)));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    happened(world, id, "started").await;
    world.until("it is up", async || world.github.faults_left() == 0).await;
    id
}

#[tokio::test]
async fn a_container_that_somebody_removes_ends_its_job_at_once() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    let running = world.github.queue_job(job("octocat/one", "default", LONG));
    happened(&world, running, "running").await;
    remove_all(&world).await;
    let record = happened(&world, running, "done").await;
    assert!(record.reason.contains("somebody removed the container"), "{record:#?}");
    assert_eq!((record.attempts, world.github.count("POST", JIT)), (0, 1), "it is not started again");

    let waiting = with_starting_runner(&world).await;
    remove_all(&world).await;
    let record = happened(&world, waiting, "done").await;
    assert_eq!(record.attempts, 1, "{record:#?}");
    assert_eq!(world.github.job(waiting).unwrap().conclusion, Some(Conclusion::Success));
    world.rest(PATIENCE).await;
    no_other_registration_is_left(&world, running).await;
    Counts::of(&world).hold("containers that are removed");
}

#[tokio::test]
async fn a_container_that_was_removed_while_its_worker_was_away_is_missed_by_it() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    let running = world.github.queue_job(job("octocat/one", "default", LONG));
    happened(&world, running, "running").await;
    let waiting = with_starting_runner(&world).await;
    world.workers[0].kill();
    remove_all(&world).await;
    world.workers[0].start();

    let record = happened(&world, running, "done").await;
    assert!(record.reason.contains("its runner's container is gone"), "{record:#?}");
    assert_eq!((record.state, record.attempts), (JobState::Done, 0));
    let record = happened(&world, waiting, "done").await;
    assert!(record.first_error.as_ref().is_some_and(|error| error.contains("container is gone")), "{record:#?}");
    assert_eq!((record.state, record.attempts), (JobState::Done, 1));
    world.github.wait_for_job(waiting, JobStatus::Completed, PATIENCE).await.unwrap();
    world.rest(PATIENCE).await;
    assert_eq!(world.github.count("POST", JIT), 3, "one more for the job that waited");
    no_other_registration_is_left(&world, running).await;
    Counts::of(&world).hold("containers that were removed");
}
