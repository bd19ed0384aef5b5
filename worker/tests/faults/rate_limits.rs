//! GitHub's limits: all workers together stay within them, and wait when one is reached all the same.

use std::time::Duration;

use devstack::github::Call;
use redis::cmd;
use shared::model::JobState;

use crate::{
    counts::Counts,
    spec::{Options, PoolOptions, job},
    world::{PATIENCE, World, turn},
};

const JIT: &str = "/repos/{owner}/{repo}/actions/runners/generate-jitconfig";

/// The calls that GitHub has refused because there were too many.
fn refused(world: &World) -> Vec<Call> {
    world.github.calls().into_iter().filter(|call| call.status == Some(403)).collect()
}

/// Lets the queue forget that no job is to be started: what keeps workers from calling then is that they share the limit.
async fn resume(world: &World) {
    world.queue.command::<u32>(cmd("DEL").arg("gha:{default}:paused")).await.unwrap();
}

/// Queues jobs, each of a repository of its own: no runner takes another's job then.
fn queue_jobs(world: &World, jobs: u32) -> Vec<u64> {
    let repository = |number| format!("octocat/repo-{number}");
    (0..jobs).map(|number| world.github.queue_job(job(&repository(number), "default", "true"))).collect()
}

/// How many leases there are.
fn leased(world: &World) -> Option<u64> {
    world.store.count("default", "lease")
}

#[tokio::test]
async fn while_the_secondary_limit_lasts_nobody_insists_and_no_attempt_is_charged() {
    const LASTS: Duration = Duration::from_secs(8);
    const AT_ONCE: usize = 4;
    let _turn = turn().await;
    let mut world = World::still(Options { workers: 3, ..Options::default() }).await;
    world.github.limit_calls(LASTS);
    let first = world.github.queue_job(job("octocat/one", "default", "true"));
    world.workers[0].start();
    world.until("it waits", async || world.store.count("default", "delayed") == Some(1)).await;
    let record = world.record(first).await.unwrap();
    assert_eq!((record.state, record.attempts), (JobState::Delayed, 0), "{record:#?}");
    let said = world.command(&["job", &first.to_string()]).await;
    assert!(said.contains("rate_limited: until 20") && said.contains("secondary rate limit"), "{said}");
    assert!(refused(&world).len() <= AT_ONCE, "{:#?}", refused(&world));

    let before = refused(&world).len();
    let others: Vec<u64> = queue_jobs(&world, 10);
    for worker in [1, 2] {
        world.workers[worker].start();
        world.worker_is_up(worker).await;
    }
    resume(&world).await;
    world.until("another one waits", async || world.store.count("default", "delayed") > Some(1)).await;
    assert_eq!(refused(&world).len(), before, "the others know: {:#?}", refused(&world));

    world.rest(PATIENCE).await;
    assert!(refused(&world).len() <= before + 1, "{:#?}", refused(&world));
    for id in others.into_iter().chain([first]) {
        let record = world.record(id).await.unwrap();
        assert_eq!((record.state, record.attempts), (JobState::Done, 0), "{record:#?}");
    }
    Counts::of(&world).hold("a secondary limit");
}

#[tokio::test]
async fn workers_stay_together_within_what_github_grants_their_token() {
    const GRANTED: u32 = 30;
    const JOBS: u32 = 45;
    let _turn = turn().await;
    let pools = vec![PoolOptions { name: "default", most: 12, per_scope: 12 }];
    let rate = Some((GRANTED, Duration::from_secs(4)));
    let mut world = World::start(Options { workers: 3, pools, rate, ..Options::default() }).await;
    queue_jobs(&world, JOBS);
    world.rest(PATIENCE).await;
    assert!(refused(&world).is_empty(), "{:#?}", refused(&world));
    assert!(world.github.count("POST", JIT) >= u64::from(JOBS));
    let counts = Counts::of(&world);
    counts.hold("a small rate limit");
    assert_eq!(counts.dead, 0);
}

#[tokio::test]
async fn workers_register_no_more_runners_at_a_scope_than_github_allows() {
    /// Of twelve in five minutes a third may be registered at once, and then one in 37 seconds.
    const AT_ONCE: u64 = 4;
    const JOBS: u64 = 10;
    let _turn = turn().await;
    let env = [("AUTOSCALER_GITHUB_REGISTRATIONS", "12".to_owned())].into();
    let pools = vec![PoolOptions { name: "default", most: 9, per_scope: 9 }];
    let world = World::start(Options { workers: 3, pools, env, ..Options::default() }).await;
    let ids: Vec<u64> = (0..JOBS).map(|_| world.github.queue_job(job("octocat/one", "default", "true"))).collect();
    let delayed = async || world.store.count("default", "delayed") == Some(JOBS - AT_ONCE) && leased(&world) == Some(0);
    world.until("the others wait", delayed).await;
    assert_eq!(world.github.count("POST", JIT), AT_ONCE);
    let mut waiting = 0;
    for id in ids {
        let record = world.record(id).await.unwrap();
        assert_eq!(record.attempts, 0, "{record:#?}");
        if record.state == JobState::Delayed {
            let said = "GitHub's rate limit leaves no room (registrations at octocat/one)";
            assert!(record.reason.starts_with("rate_limited: until 20") && record.reason.contains(said), "{record:#?}");
            waiting += 1;
        }
    }
    assert_eq!(waiting, JOBS - AT_ONCE);
    // Another scope has room.
    let id = world.github.queue_job(job("octocat/two", "default", "true"));
    world.until("it is done", async || world.record(id).await.is_some_and(|it| it.state == JobState::Done)).await;
    assert!(refused(&world).is_empty());
}
