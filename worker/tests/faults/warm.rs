//! Warm runners: a job starts at once, and their number stays what it is, whatever happens.

use std::{collections::BTreeSet, time::Duration};

use devstack::{
    github::{JobStatus, RunnerView},
    harness::Signal,
};
use reqwest::{Method, StatusCode};
use shared::model::JobState;
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::{
    spec::{IMAGE, Options, PoolOptions, job},
    world::{PATIENCE, TOKEN, World, alone, turn},
};

/// How long a runner takes from the start of its container until it listens: a job that waited for that is told from one that did not.
const BOOT: Duration = Duration::from_millis(500);

/// How soon a job is to run.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How many jobs come, one in each second.
const JOBS: usize = 10;

/// How often GitHub deletes an idle runner.
const DELETED_EVERY: usize = 5;

/// A world of one worker, whose pool of so many runners keeps two warm for `octocat/one`.
async fn warm_world(most: usize) -> World {
    let pools = vec![PoolOptions { name: "default", most, per_scope: most }];
    let mut world = World::still(Options { workers: 1, pools, ..Options::default() }).await;
    world.docker.boots_in(BOOT);
    write(&world, "warm = 2\nwarm_scopes = [\"octocat/one\"]");
    world.workers[0].start();
    two_are_idle(&world).await;
    world
}

/// Writes the pools down with these keys besides.
fn write(world: &World, keys: &str) {
    world.write_pools(&world.options.pools_toml().replace("[pool.docker]", &format!("{keys}\n[pool.docker]")));
}

/// The same, and has the worker read them.
async fn change(world: &mut World, keys: &str) {
    write(world, keys);
    world.workers[0].process().signal(Signal::HUP).unwrap();
    world.workers[0].process().wait_for_line("changed: default", PATIENCE).await.unwrap();
}

fn idle(world: &World) -> Vec<RunnerView> {
    world.github.runners().into_iter().filter(|runner| runner.listening && runner.job.is_none()).collect()
}

/// Waits until two runners listen, and nothing else is there.
async fn two_are_idle(world: &World) {
    world
        .until("two runners are idle", async || {
            idle(world).len() == 2 && world.docker.containers().len() == 2 && world.open() == Some(2)
        })
        .await;
}

fn names(world: &World) -> BTreeSet<String> {
    world.docker.containers().into_iter().map(|container| container.name).collect()
}

/// Deletes the registration of a runner that has no job.
async fn delete_one(world: &World) {
    let Some(runner) = idle(world).pop() else { return };
    let url = format!("{}/api/v3/repos/octocat/one/actions/runners/{}", world.github.url(), runner.id);
    let answer = world.http.request(Method::DELETE, url).bearer_auth(TOKEN).header("User-Agent", "test").send().await;
    let status = answer.unwrap().status();
    assert!(status == StatusCode::NO_CONTENT || status == StatusCode::UNPROCESSABLE_ENTITY, "{status}");
}

/// Lets a job come each second, and checks how soon each runs.
async fn jobs_run_at_once(run: &str, deletes: bool) {
    let _alone = alone().await;
    let world = warm_world(8).await;
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut jobs = Vec::new();
    for number in 0..JOBS {
        seconds.tick().await;
        if deletes && number % DELETED_EVERY == 0 {
            delete_one(&world).await;
        }
        let id = world.github.queue_job(job("octocat/one", "default", "true"));
        world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
        jobs.push(id);
    }
    for id in &jobs {
        world.github.wait_for_job(*id, JobStatus::Completed, PATIENCE).await.unwrap();
        let done = async || world.record(*id).await.is_some_and(|record| record.state == JobState::Done);
        world.until("the job's record says so", done).await;
    }
    two_are_idle(&world).await;
    assert_eq!(world.queue.status().await.unwrap().pools[0].warm, 2);

    let job = |id: &u64| world.github.job(*id).unwrap();
    let mut waited: Vec<Duration> =
        jobs.iter().map(job).map(|job| (job.started_at.unwrap() - job.created_at).unsigned_abs()).collect();
    println!("{run}: from the delivery until it runs {waited:?}; {} runners", world.docker.counts().started.len());
    waited.sort();
    assert!(waited[JOBS / 2] <= AT_ONCE, "half of the jobs waited longer: {waited:?}");
    assert!(waited[JOBS - 1] < BOOT, "a job waited for a runner to boot: {waited:?}");
    let complaints: Vec<String> = world.workers[0].lines().into_iter().filter(|line| line.contains("WARN")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(world.store.count("default", "dead"), Some(0));
    if !deletes {
        assert_eq!(world.docker.counts().started.len(), JOBS + 2, "each job starts one runner");
    }
}

#[tokio::test]
async fn a_job_runs_at_once_and_its_own_runner_is_warm_in_the_place_of_the_one_that_it_took() {
    jobs_run_at_once("warm = 2", false).await;
}

#[tokio::test]
async fn a_job_runs_at_once_though_github_deletes_idle_runners() {
    jobs_run_at_once("warm = 2, one deleted every 5 s", true).await;
}

#[tokio::test]
async fn a_job_of_another_scope_gets_the_slot_of_a_warm_runner() {
    let _turn = turn().await;
    let world = warm_world(2).await;
    world.docker.limit("default", 2, 2);
    let others: Vec<u64> = (0..2).map(|_| world.github.queue_job(job("octocat/other", "default", "sleep 1"))).collect();
    for id in others {
        world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    }
    two_are_idle(&world).await;
    assert_eq!(world.docker.counts().exceeded, Vec::<String>::new());
    assert_eq!(world.store.count("default", "dead"), Some(0));
}

#[tokio::test]
async fn warm_runners_are_adopted_after_a_kill_and_not_doubled() {
    let _turn = turn().await;
    let mut world = warm_world(4).await;
    let before = names(&world);
    for away in [Duration::ZERO, Duration::from_secs(4)] {
        world.workers[0].kill();
        sleep(away).await;
        world.workers[0].start();
        world.workers[0].process().wait_for_line("Adopted the runner", PATIENCE).await.unwrap();
        world.worker_is_up(0).await;
        sleep(Duration::from_secs(2)).await; // the worker asks whether more are wanted as soon as it is up
        assert_eq!(names(&world), before);
        two_are_idle(&world).await;
    }
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    two_are_idle(&world).await;
    assert_eq!(world.docker.counts().started.len(), 3);
}

#[tokio::test]
async fn a_worker_that_stops_waits_for_jobs_and_not_for_warm_runners() {
    let _turn = turn().await;
    let mut world = warm_world(4).await;
    let before = names(&world);
    let ended = world.workers[0].process().stop(PATIENCE).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    world.workers[0].spec = world.workers[0].spec.clone().env("WORKER_DRAIN_SECONDS", "300");
    world.workers[0].start();
    world.workers[0].process().wait_for_line("Adopted the runner", PATIENCE).await.unwrap();
    two_are_idle(&world).await;
    let id = world.github.queue_job(job("octocat/one", "default", "sleep 2"));
    world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
    let its_own_is_up =
        async || idle(&world).len() == 2 && world.docker.containers().len() == 3 && world.open() == Some(3);
    world.until("its own runner is up, and nothing else is under way", its_own_is_up).await;
    let ended = world.workers[0].process().stop(PATIENCE).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(world.github.job(id).unwrap().status, JobStatus::Completed);
    let left = (idle(&world).len(), names(&world).intersection(&before).count());
    assert_eq!(left, (2, 1), "{}", world.story());
}

#[tokio::test]
async fn warm_runners_of_an_outdated_image_are_replaced() {
    let _turn = turn().await;
    let mut world = warm_world(4).await;
    let old = world.docker.containers()[0].image_id.clone();
    world.docker.rebuild(IMAGE);
    change(&mut world, "warm = 2\nwarm_scopes = [\"octocat/one\"]\ntimeout_seconds = 600").await;
    let is_new = |world: &World| world.docker.containers().iter().all(|container| container.image_id != old);
    world.until("all are of the new image", async || is_new(&world)).await;
    two_are_idle(&world).await;
}

#[tokio::test]
async fn warm_runners_are_there_at_their_hours_only() {
    let _turn = turn().await;
    let mut world = warm_world(4).await;
    let tomorrow = (OffsetDateTime::now_utc() + Duration::from_hours(48)).weekday().to_string();
    let keys = "warm = 2\nwarm_scopes = [\"octocat/one\"]";
    change(&mut world, &format!("{keys}\nwarm_hours = \"{} 00:00-24:00\"", &tomorrow[..3])).await;
    let none = async || world.docker.containers().is_empty() && world.github.runners().is_empty();
    world.until("their hours are over", none).await;
    let begun = Instant::now();
    change(&mut world, keys).await;
    two_are_idle(&world).await;
    println!("warm again after {:?}", begun.elapsed());
}
