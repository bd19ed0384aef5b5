//! The container of a runner that failed is kept for a while.

use std::time::Duration;

use devstack::{
    docker::ContainerView,
    github::{Conclusion, Effect, Fault},
};
use shared::{model::JobState, queue::JobRecord};
use tokio::time::sleep;

use crate::{
    spec::{LEASE, Options, PoolOptions, job},
    world::{PATIENCE, World, turn},
};

/// A world with one slot, whose pool keeps what failed for so many seconds, and whose next runner GitHub does not know.
async fn keeping(seconds: u64) -> World {
    let pools = vec![PoolOptions { name: "default", most: 1, per_scope: 1 }];
    let mut world = World::still(Options { workers: 1, pools, ..Options::default() }).await;
    world.write_pools(
        &world.options.pools_toml().replace("max_runners", &format!("keep_failed = {seconds}\nmax_runners")),
    );
    world.github.fault(Fault::once("POST", "/_standin/runner/session", Effect::status(401, "Unauthorized")));
    world.workers[0].start();
    world.worker_is_up(0).await;
    world
}

/// Waits until a job is done.
async fn done(world: &World, id: u64) -> JobRecord {
    let is_done = async || world.record(id).await.is_some_and(|record| record.state == JobState::Done);
    world.until_within("it is done", PATIENCE, is_done).await;
    world.record(id).await.unwrap()
}

fn containers(world: &World) -> Vec<(String, bool)> {
    world.docker.containers().into_iter().map(|ContainerView { name, running, .. }| (name, running)).collect()
}

#[tokio::test]
async fn a_runner_that_failed_is_kept_and_holds_up_nothing() {
    let _turn = turn().await;
    let mut world = keeping(3600).await;
    let failed = world.github.queue_job(job("octocat/one", "default", "true"));
    let record = done(&world, failed).await;
    let kept = record.events.iter().find(|event| event.what == "kept").unwrap();
    assert!(kept.detail.starts_with(&format!("container gha-{failed}-1.kept, until 20")), "{}", kept.detail);
    let left = [(format!("gha-{failed}-1.kept"), false)];
    assert_eq!(containers(&world), left, "the second one did not fail");

    world.workers[0].kill();
    world.workers[0].start();
    let next = world.github.queue_job(job("octocat/one", "default", "exit 3"));
    done(&world, next).await;
    assert_eq!(world.github.job(next).unwrap().conclusion, Some(Conclusion::Failure));
    sleep(Duration::from_secs(2 * LEASE)).await;
    assert_eq!(containers(&world), left, "it is nobody's runner, and a job that fails is no runner that does");
    assert_eq!(world.docker.counts().exceeded, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_kept_for_long_enough_is_removed_also_by_a_worker_that_did_not_see_it_fail() {
    let _turn = turn().await;
    let mut world = keeping(2).await;
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    let record = done(&world, id).await;
    assert!(record.events.iter().any(|event| event.what == "kept"), "{record:#?}");
    world.workers[0].kill();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(containers(&world), [(format!("gha-{id}-1.kept"), false)]);
    world.workers[0].start();
    world.rest(PATIENCE).await;
}
