//! Row 7: what GitHub and Docker refuse, or take long to do.

use std::time::Duration;

use devstack::github::{Effect, Fault};
use tokio::time::sleep;

use crate::{
    counts::Counts,
    spec::{LEASE, Options, job},
    world::{PATIENCE, World, turn},
};

const JIT: &str = "/repos/*/generate-jitconfig";

/// What a worker says of a lease that it has lost.
fn losses(world: &World) -> usize {
    world.workers[0].lines().iter().filter(|line| line.contains("The lease was lost")).count()
}

/// GitHub has registered the runner and does not say so; to find that out, and to delete the registration, takes long.
#[tokio::test]
async fn a_job_that_is_settled_is_not_taken_for_lost_while_it_is_cleaned_up_after_it() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.github.fault(Fault::once("POST", JIT, Effect::Lost));
    world.github.fault(Fault::once("GET", "/repos/*/actions/runners", Effect::Delay(LEASE * 1000)));
    world.github.queue_job(job("octocat/one", "default", "true"));
    world.rest(PATIENCE).await;
    world.until("no registration is left", async || world.github.runners().is_empty()).await;
    assert_eq!(losses(&world), 0, "{}", world.story());
    Counts::of(&world).hold("a long clean-up");
}

/// GitHub says for longer than two beats take that the runner is registered; meanwhile somebody else has the lease, by the epoch.
#[tokio::test]
async fn a_lease_that_is_lost_while_the_runner_is_registered_is_told_of_once_and_leaves_no_registration() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.github.fault(Fault::once("POST", JIT, Effect::Late(LEASE * 1000)));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("the runner is registered", async || world.github.runners().len() == 1).await;
    world.store.redis().command(&format!("HSET gha:{{default}}:job:{id} epoch 7")).unwrap();
    world.rest(PATIENCE).await;
    assert_eq!(losses(&world), 1, "{}", world.story());
    world.until("no registration is left", async || world.github.runners().is_empty()).await;
    Counts::of(&world).hold("a lease lost at registration");
}

/// A runner ends because GitHub does not know it, and its container is there until the next attempt.
#[tokio::test]
async fn the_end_of_a_runner_whose_container_could_not_be_removed_is_charged_once() {
    const TRIES: u32 = 5;
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.github.fault(Fault::once("POST", "/_standin/runner/session", Effect::status(401, "Unauthorized")));
    world.docker.fault(Fault::once("DELETE", "/containers/*", Effect::status(500, "busy")).times(TRIES));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.rest(PATIENCE).await;
    let record = world.record(id).await.unwrap();
    assert_eq!((world.docker.faults_left(), record.attempts), (0, 1), "{record:#?}");
    assert_eq!(record.runner.map(|runner| runner.to_string()), Some(format!("gha-{id}-2")));
    Counts::of(&world).hold("a container that stays");
}

/// An idle runner that no record stands behind, and whose registration GitHub does not delete.
#[tokio::test]
async fn a_container_that_cannot_be_retired_is_tried_again_after_a_pause() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.docker.fault(Fault::once("POST", "/containers/*/start", Effect::Delay(500)));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("its runner starts", async || world.docker.faults_left() == 0).await;
    world.github.set_webhook(None);
    assert!(world.github.cancel_job(id));
    world.until("the runner is up", async || world.docker.containers().iter().any(|it| it.running)).await;
    world.workers[0].kill();
    world.store.redis().flush().unwrap();
    world.github.fault(Fault::once("DELETE", "/repos/*/actions/runners/*", Effect::server_error()).times(100));
    world.workers[0].start();
    let tries = |world: &World| {
        world.workers[0].lines().iter().filter(|line| line.contains("Cannot retire the runner yet")).count()
    };
    world.until("it is tried", async || tries(&world) > 0).await;
    sleep(Duration::from_secs(3 * LEASE)).await;
    assert_eq!(tries(&world), 1);
}

/// The engine has made it, and before the worker hears of it, it dies, and the queue loses the job.
#[tokio::test]
async fn a_container_that_was_never_started_and_has_no_record_is_removed() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Late(120_000)));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("it is made", async || world.docker.containers().len() == 1).await;
    world.workers[0].kill();
    world.store.redis().flush().unwrap();
    world.github.set_webhook(None);
    assert!(world.github.cancel_job(id));
    world.workers[0].start();
    world.until("it is removed", async || world.docker.containers().is_empty()).await;
    world.until("no registration is left", async || world.github.runners().is_empty()).await;
    assert_eq!(world.docker.counts().started.len(), 0);
}
