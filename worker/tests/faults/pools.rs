//! Row 6: `pools.toml` is changed while jobs wait and run.

use devstack::{github::JobStatus, harness::Signal};
use shared::model::JobState;

use crate::{
    counts::Counts,
    spec::{Options, PoolOptions, job},
    world::{PATIENCE, World, turn},
};

/// Has every process read these pools.
async fn change(world: &mut World, pools: &[PoolOptions], says: &str) {
    world.options.pools = pools.to_vec();
    world.write_pools(&world.options.pools_toml());
    for program in world.ingests.iter_mut().chain(&mut world.workers) {
        program.process().signal(Signal::HUP).unwrap();
        program.process().wait_for_line(says, PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn pools_may_be_added_changed_and_removed_while_jobs_wait_and_run() {
    let _turn = turn().await;
    let [small, new] = ["default", "new"].map(|name| PoolOptions { name, most: 1, per_scope: 1 });
    let mut world = World::start(Options { pools: vec![small.clone()], ..Options::default() }).await;
    world.docker.limit("new", 1, 1);
    let unknown = world.github.queue_job(job("octocat/one", "new", "true"));
    let noted = async |world: &World, id| world.record(id).await.map(|record| record.state);
    world.until("no pool takes it", async || noted(&world, unknown).await == Some(JobState::Unmatched)).await;

    change(&mut world, &[small, new.clone()], "new: new").await;
    let taken = world.github.queue_job(job("octocat/one", "new", "true"));
    world.github.wait_for_job(taken, JobStatus::Completed, PATIENCE).await.unwrap();

    let large = PoolOptions { name: "default", most: 2, per_scope: 2 };
    world.docker.limit("default", 2, 2);
    change(&mut world, &[large, new.clone()], "changed: default").await;
    let running: Vec<u64> = (0..4).map(|_| world.github.queue_job(job("octocat/one", "default", "sleep 2"))).collect();
    let up = |world: &World| world.docker.containers().iter().filter(|it| it.took.is_some()).count();
    world.until("the new limit holds", async || up(&world) == 2).await;

    change(&mut world, &[new], "removed: default").await;
    let late = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("the removed pool takes none", async || noted(&world, late).await == Some(JobState::Unmatched)).await;
    for id in running {
        world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    }
    world.until("all is at rest", async || world.docker.containers().is_empty()).await;
    assert_eq!(world.docker.counts().exceeded, Vec::<String>::new());
    assert_eq!(world.docker.counts().most["default"], 2);
}

#[tokio::test]
async fn a_mistake_in_the_pools_is_told_with_its_place_and_changes_nothing() {
    let _turn = turn().await;
    let mut world = World::start(Options::default()).await;
    world.write_pools("[[pool]]\nname = \"default\"\nmax_runers = 7\n");
    for program in world.ingests.iter_mut().chain(&mut world.workers) {
        program.process().signal(Signal::HUP).unwrap();
        let said = program.process().wait_for_line("the pools stay as they were", PATIENCE).await.unwrap();
        assert!(said.contains("pools.toml") && said.contains("line 3") && said.contains("max_runers"), "{said}");
    }
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("a mistake in pools.toml");
}
