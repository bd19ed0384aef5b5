//! Many jobs at once, and few places.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use devstack::github::{Conclusion, JobSpec};
use shared::model::JobState;

use crate::world::{Options, World};

const JOBS: usize = 200;
const LIMIT: usize = 3;
/// Two cores start about six containers a second.
const ALL_DONE: Duration = Duration::from_mins(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_jobs_at_once_are_all_done_and_never_more_than_three_containers_are_there() {
    let world = World::start(Options { max_runners: 3, ..Options::default() }).await;
    let ids: Vec<u64> =
        (0..JOBS).map(|_| world.github.queue_job(JobSpec::of("octocat/hello".parse().unwrap()))).collect();

    let over = AtomicBool::new(false);
    let most = AtomicUsize::new(0);
    let counting = async {
        while !over.load(Ordering::Relaxed) {
            most.fetch_max(world.containers().await.len(), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let working = async {
        let completed = || world.github.jobs().iter().all(|job| job.conclusion.is_some()).then_some(());
        world.github.wait_for("all jobs are completed", ALL_DONE, completed).await.unwrap();
        world
            .until("every lease has ended", async || {
                let pool = world.queue.status().await.unwrap().pools.remove(0);
                pool.pending + pool.delayed + pool.starting + pool.running + pool.orphaned == 0
            })
            .await;
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(counting, working);

    let most = most.load(Ordering::Relaxed);
    assert!((1..=LIMIT).contains(&most), "{most} containers");
    let mut more_than_once = Vec::new();
    for id in ids {
        let record = world.record(id).await.unwrap();
        assert_eq!(record.state, JobState::Done, "{record:?}");
        if record.events.iter().filter(|event| event.what == "registered").count() > 1 {
            more_than_once.push(record);
        }
    }
    let conclusions: Vec<_> = world.github.jobs().into_iter().map(|job| job.conclusion).collect();
    assert!(conclusions.iter().all(|conclusion| *conclusion == Some(Conclusion::Success)), "{conclusions:?}");
    let registered = world.github.count("POST", "/repos/{owner}/{repo}/actions/runners/generate-jitconfig");
    assert_eq!(registered, JOBS as u64, "registered more than once: {more_than_once:#?}");
    assert_eq!(world.github.runners().len(), 0);
    world.end().await;
}
