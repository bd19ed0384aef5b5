//! Row 6: what operators do while jobs run.

use std::{path::PathBuf, time::Duration};

use devstack::{
    github::{Conclusion, Effect, Fault, JobStatus},
    harness::Signal,
};
use tokio::time::sleep;

use crate::{
    counts::Counts,
    load::{JOBS, options, under_load},
    program::Program,
    spec::{Options, PoolOptions, job},
    world::{PATIENCE, World, alone, turn},
};

#[tokio::test]
async fn a_limit_may_be_lowered_below_its_use_and_raised_again() {
    let _turn = turn().await;
    let pools = vec![PoolOptions { name: "default", most: 6, per_scope: 6 }];
    let mut world = World::start(Options { pools, ..Options::default() }).await;
    let leased = |world: &World| world.store.count("default", "lease").unwrap();
    for number in 0..40 {
        world.github.queue_job(job(&format!("octocat/repo-{}", number % 2), "default", "sleep 1"));
    }
    world.until("all slots are in use", async || leased(&world) == 6).await;
    world.command(&["limits", "set", "--max-runners", "2"]).await;
    world.until("the use has fallen", async || leased(&world) <= 2).await;
    world.docker.limit("default", 2, 2);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.docker.counts().exceeded, Vec::<String>::new());

    world.docker.limit("default", 5, 5);
    world.command(&["limits", "set", "--max-runners", "5"]).await;
    world.until("the new slots are in use", async || leased(&world) == 5).await;
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("limit lowered and raised");
    assert_eq!(counts.done, 40);
}

#[tokio::test]
async fn dead_letters_are_replayed_under_load_and_end_in_runners() {
    let _turn = turn().await;
    let world = World::start(options()).await;
    let refusal = Effect::status(404, "Not Found");
    world.github.fault(Fault::once("POST", "/repos/octocat/gone/actions/runners/generate-jitconfig", refusal).times(8));
    let dead: Vec<u64> = (0..8).map(|_| world.github.queue_job(job("octocat/gone", "default", "true"))).collect();
    world.until("they are dead letters", async || world.store.count("default", "dead") == Some(8)).await;

    let mut world = world;
    for number in 0..30 {
        world.github.queue_job(job(&format!("octocat/repo-{}", number % 3), "default", "sleep 0.3"));
        if number % 10 == 5 {
            world.command(&["dead", "replay", "--all"]).await;
        }
    }
    world.rest(PATIENCE).await;
    for id in dead {
        // One that was replayed may run on the runner of another one before its own is made; then it is closed as such.
        let (record, job) = (world.record(id).await.unwrap(), world.github.job(id).unwrap());
        assert_eq!((job.conclusion, record.replays), (Some(Conclusion::Success), 1), "{record:#?}");
    }
    let counts = Counts::of(&world);
    counts.hold("replay --all under load");
    assert_eq!((counts.accepted, counts.done + counts.cancelled, counts.dead), (38, 38, 0));
}

/// Twenty workers for six slots: each has to be told by the queue that there is none for it.
#[tokio::test]
async fn workers_may_come_and_go() {
    const WORKERS: usize = 20;
    let _alone = alone().await;
    let mut world = World::still(Options { workers: WORKERS, ..options() }).await;
    world.workers[0].start();
    world.worker_is_up(0).await;
    let there = async |world: &World, workers: usize| {
        let what = format!("{workers} workers say that they are there");
        world.until(&what, async || world.workers_there().await == Some(workers)).await;
    };
    under_load("workers 1, 20, 1", world, 2 * JOBS, async |world, number| match number {
        20 => world.workers[1..].iter_mut().for_each(Program::start),
        60 => there(world, WORKERS).await,
        80..99 => world.workers[number - 79].process().signal(Signal::TERM).unwrap(),
        110 => {
            for worker in &mut world.workers[1..] {
                assert_eq!(worker.process().wait(PATIENCE).await.unwrap().code(), Some(0));
            }
            there(world, 1).await;
        }
        _ => {}
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_leaves_its_runners_to_the_others() {
    let _turn = turn().await;
    let mut world = World::start(options()).await;
    for _ in 0..6 {
        world.github.queue_job(job("octocat/one", "default", "sleep 6"));
        world.github.queue_job(job("octocat/other", "default", "sleep 6"));
    }
    let up = |world: &World| world.docker.containers().iter().filter(|it| it.took.is_some()).count();
    world.until("all slots are in use", async || up(&world) == 6).await;
    for worker in 0..2 {
        let ended = world.workers[worker].process().stop(PATIENCE).await.unwrap();
        assert_eq!(ended.code(), Some(0));
    }
    assert_eq!(up(&world), 6, "they go on");
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("SIGTERM with running containers");
    assert_eq!((counts.runners, counts.done), (12, 12));
}

#[tokio::test]
async fn a_worker_that_adopted_more_runners_than_it_may_have_starts_none_until_it_has_fewer() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, capacity: 2, ..Options::default() }).await;
    let files = tempfile::tempdir().unwrap();
    let queue = |script: &str| world.github.queue_job(job("octocat/one", "default", script));
    let mut running = [0, 1].map(|number| {
        let file = files.path().join(number.to_string());
        (queue(&format!("until test -e {}; do sleep 0.1; done", file.display())), file)
    });
    for (id, _) in &running {
        world.github.wait_for_job(*id, JobStatus::InProgress, PATIENCE).await.unwrap();
    }
    let next = queue("true");
    world.workers[0].kill();
    world.workers[0].spec = world.workers[0].spec.clone().env("WORKER_CAPACITY", "1");
    world.workers[0].start();
    world
        .until("both are adopted", async || {
            let adopted = async |(id, _): &(u64, PathBuf)| {
                let record = world.record(*id).await;
                record.is_some_and(|record| record.events.iter().any(|event| event.what == "adopted"))
            };
            adopted(&running[0]).await && adopted(&running[1]).await
        })
        .await;

    // The one that was adopted first, for it has the only place.
    running.sort_by_key(|(id, _)| world.docker.containers()[0].took != Some(*id));
    std::fs::write(&running[0].1, "").unwrap();
    world.until("one is gone", async || world.docker.containers().len() == 1).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.github.job(next).unwrap().status, JobStatus::Queued, "the other one has its place now");
    std::fs::write(&running[1].1, "").unwrap();
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("capacity below the adopted runners");
}

#[tokio::test]
async fn ingests_may_be_restarted_one_after_the_other() {
    let _turn = turn().await;
    let world = World::start(Options { ingests: 3, ..options() }).await;
    under_load("rolling restart of ingest", world, JOBS, async |world, number| {
        if number % 10 == 5 {
            let ingest = number / 10 % 3;
            let ended = world.ingests[ingest].process().stop(PATIENCE).await.unwrap();
            assert_eq!(ended.code(), Some(0));
            world.ingests[ingest].start();
        }
    })
    .await;
}
