//! A runner's version that GitHub gives no jobs any more.

use std::time::Duration;

use devstack::{
    github::{Effect, Fault},
    harness::Signal,
};
use shared::model::JobState;
use tokio::time::sleep;

use crate::{
    counts::Counts,
    spec::{IMAGE, LEASE, Options, job},
    world::{PATIENCE, World, turn},
};

const SESSION: &str = "/_standin/runner/session";
const JIT: &str = "/repos/{owner}/{repo}/actions/runners/generate-jitconfig";

/// How many runners the pool may have.
const MOST: u64 = 4;

/// Waits until every job waits and says that the pool is stopped, and no runner is left.
async fn stopped(world: &World, jobs: &[u64], registered: u64) {
    let all_wait = async || {
        for id in jobs {
            let Some(record) = world.record(*id).await else { return false };
            if record.state != JobState::Pending || !record.reason.starts_with("pool default is stopped: ") {
                return false;
            }
        }
        world.docker.containers().is_empty() && world.github.count("POST", JIT) >= registered
    };
    world.until("the pool is stopped", all_wait).await;
}

#[tokio::test]
async fn a_runner_that_is_too_old_stops_its_pool_until_it_is_tried_again() {
    let _turn = turn().await;
    let mut world = World::start(Options::default()).await;
    world.github.fault(Fault::once("POST", SESSION, Effect::status(403, "Forbidden")).times(1000));
    let jobs: Vec<u64> = (0..8).map(|_| world.github.queue_job(job("octocat/one", "default", "true"))).collect();
    stopped(&world, &jobs, 1).await;
    let registered = world.github.count("POST", JIT);
    assert!(registered <= MOST, "{registered} runners were made in vain");
    sleep(Duration::from_secs(LEASE)).await;
    assert_eq!(world.github.count("POST", JIT), registered, "and no more by any worker");
    for id in &jobs {
        let record = world.record(*id).await.unwrap();
        assert!(record.reason.contains("version 2.336.0") && record.reason.contains(IMAGE), "{}", record.reason);
        assert_eq!(record.attempts, 0, "{record:#?}");
    }
    let status = world.command(&["status"]).await;
    assert!(status.contains("pool default is stopped: "), "{status}");

    // As if with a newer image, which it is not.
    world.workers[0].kill();
    world.workers[0].start();
    world.worker_is_up(0).await;
    stopped(&world, &jobs, registered + 1).await;
    sleep(Duration::from_secs(LEASE)).await;
    assert_eq!(world.github.count("POST", JIT), registered + 1, "it is tried with one");

    world.github.clear_faults();
    world.workers[1].process().signal(Signal::HUP).unwrap();
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("a deprecated runner");
    assert_eq!((counts.done, counts.dead), (jobs.len(), 0));
    assert_eq!(world.queue.status().await.unwrap().pools[0].stopped, None);
}
