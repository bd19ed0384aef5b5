//! Row 6: more jobs than the engine can start at once.

use std::time::Duration;

use devstack::github::{Effect, Fault};
use shared::model::JobState;

use crate::{
    counts::Counts,
    spec::{LEASE, Options, PoolOptions, job},
    world::{PATIENCE, World, turn},
};

const JIT: &str = "/repos/{owner}/{repo}/actions/runners/generate-jitconfig";

/// How many starts the worker may have under way.
const STARTS: usize = 2;

/// How many jobs are prepared meanwhile: these, and as many whose runners are registered.
const PREPARED: usize = 4;

/// How long the engine takes to start a container: longer than a lease, unless it is extended.
const SLOW: Duration = Duration::from_millis(1000 * LEASE + 1500);

#[tokio::test]
async fn no_more_starts_are_under_way_than_allowed_and_a_job_that_waits_for_its_turn_keeps_its_lease() {
    let _turn = turn().await;
    let pools = vec![PoolOptions { name: "default", most: 20, per_scope: 20 }];
    let env = [("WORKER_STARTS", STARTS.to_string())].into();
    let mut world = World::start(Options { workers: 1, capacity: 20, pools, env, ..Options::default() }).await;
    let slow = Fault::once("POST", "/containers/*/start", Effect::delay(SLOW));
    world.docker.fault(slow.times(u32::try_from(PREPARED).unwrap()));
    let jobs: Vec<u64> =
        (0..=PREPARED).map(|_| world.github.queue_job(job("octocat/one", "default", "true"))).collect();

    world
        .until("GitHub has registered the next runners", async || world.github.count("POST", JIT) == PREPARED as u64)
        .await;
    let mut states = Vec::new();
    for id in &jobs {
        world.until("the job is in the queue", async || world.record(*id).await.is_some()).await;
        states.push(world.record(*id).await.unwrap().state);
    }
    let pending = states.iter().filter(|state| **state == JobState::Pending).count();
    assert_eq!(pending, 1, "the others are left to other workers: {states:?}");
    assert_eq!(world.docker.counts().started, [], "they waited while the first were being started");
    assert!(world.docker.counts().created <= STARTS as u64, "{:?}", world.docker.counts());

    world.rest(PATIENCE).await;
    assert_eq!(world.docker.counts().most_starts, STARTS, "{:?}", world.docker.counts());
    for id in jobs {
        let record = world.record(id).await.unwrap();
        let reserved = record.events.iter().filter(|event| event.what == "reserved").count();
        assert_eq!((record.state, record.attempts, reserved), (JobState::Done, 0, 1), "{record:#?}");
    }
    Counts::of(&world).hold("more jobs than starts");
}
