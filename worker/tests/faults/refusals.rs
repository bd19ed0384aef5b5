//! Row 7: what GitHub and Docker refuse, or take long to do.

use std::time::Duration;

use devstack::github::{Effect, Fault};
use tokio::time::sleep;

use crate::{
    spec::{LEASE, Options, job},
    world::{World, alone},
};

/// An idle runner that no record stands behind, and whose registration GitHub does not delete.
#[tokio::test]
async fn a_container_that_cannot_be_retired_is_tried_again_after_a_pause() {
    let _alone = alone().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.docker.fault(Fault::once("POST", "/containers/*/start", Effect::Delay(500)));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("its runner starts", async || world.docker.faults_left() == 0).await;
    world.github.set_webhook(None);
    assert!(world.github.cancel_job(id));
    world.until("the runner is up", async || world.docker.containers().iter().any(|it| it.running)).await;
    world.workers[0].kill();
    world.redis.flush().unwrap();
    world.github.fault(Fault::once("DELETE", "/repos/*/actions/runners/*", Effect::server_error()).times(100));
    world.workers[0].start();
    let tries = |world: &World| {
        world.workers[0].lines().iter().filter(|line| line.contains("Cannot retire the runner yet")).count()
    };
    world.until("it is tried", async || tries(&world) > 0).await;
    sleep(Duration::from_secs(3 * LEASE)).await;
    assert_eq!(tries(&world), 1);
}
