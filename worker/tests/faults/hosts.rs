//! Row 1, on two hosts: a worker that dies for good, and nobody else reaches its engine.

use std::fs;

use devstack::github::{Effect, Fault, JobStatus};
use shared::model::JobState;

use crate::{
    counts::Counts,
    spec::{Options, PoolOptions, job},
    world::{PATIENCE, World, turn},
};

/// How many jobs run on the other host while the slot is held, and once it is free.
const HELD: usize = 6;
const FREE: usize = 4;

/// Queues jobs, each of which takes a moment.
fn queue(world: &World, jobs: usize) -> Vec<u64> {
    (0..jobs).map(|_| world.github.queue_job(job("octocat/other", "default", "sleep 0.5"))).collect()
}

/// Waits until these jobs have run.
async fn have_run(world: &World, jobs: &[u64]) {
    for id in jobs {
        world.github.wait_for_job(*id, JobStatus::Completed, PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn the_slot_of_a_dead_hosts_runner_is_held_until_its_job_is_completed() {
    let _turn = turn().await;
    let pools = vec![PoolOptions { name: "default", most: 2, per_scope: 2 }];
    let mut world = World::still(Options { hosts: 2, pools, ..Options::default() }).await;
    let state = async |world: &World, id: u64| world.record(id).await.map(|record| record.state);
    world.workers[0].start();
    world.worker_is_up(0).await;
    let files = tempfile::tempdir().unwrap();
    let end = files.path().join("end");
    let script = format!("until [ -e {} ]; do sleep 0.1; done", end.display());
    let long = world.github.queue_job(job("octocat/long", "default", &script));
    world.until("it runs", async || state(&world, long).await == Some(JobState::Running)).await;
    world.github.wait_for_job(long, JobStatus::InProgress, PATIENCE).await.unwrap();
    // And one whose container is there, and never started.
    world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Late(120_000)));
    let made = world.github.queue_job(job("octocat/made", "default", "true"));
    world.until("the other one is made", async || world.docker.containers().len() == 2).await;

    world.workers[0].kill();
    let there = &world.elsewhere[0];
    there.limit("default", 1, 1); // the pool has two slots, and one is held
    world.workers[1].start();
    world.worker_is_up(1).await;
    let short = queue(&world, HELD);
    have_run(&world, &[&short[..], &[made]].concat()).await;
    world.until("the slot is held", async || state(&world, long).await == Some(JobState::Orphaned)).await;
    have_run(&world, &queue(&world, 1)).await;
    assert_eq!(state(&world, long).await, Some(JobState::Orphaned), "it still is");
    assert_eq!(there.counts().exceeded, Vec::<String>::new(), "with the one that is up, it would be three");

    there.limit("default", 2, 2);
    fs::write(end, "").unwrap();
    world.until("its end is known", async || state(&world, long).await == Some(JobState::Done)).await;
    have_run(&world, &queue(&world, FREE)).await;
    assert_eq!(there.counts().most["default"], 2, "the slot is in use again");
    assert_eq!(world.docker.containers().len(), 2, "nobody else can remove them");

    world.workers[0].start(); // should it come back after all
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("a host dies");
    let jobs = HELD + 1 + FREE + 2;
    assert_eq!((counts.runners, counts.done), (jobs, jobs));
}
