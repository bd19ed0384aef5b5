//! 500 jobs, a hook that forgets, repeats itself and mixes things up, and people who change their minds.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use devstack::{
    docker,
    github::{Conclusion, JobStatus, Mischief},
};
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::{
    counts::Counts,
    spec::{Options, PoolOptions, job},
    world::{World, alone},
};

const JOBS: usize = 500;
const REPOSITORIES: usize = 10;

/// How soon one job follows the other.
const EVERY: Duration = Duration::from_millis(20);

/// Of a hundred jobs, those that are cancelled, and within how long after they were queued.
const CANCELLED: u8 = 5;
const CANCELLED_WITHIN_MILLIS: u64 = 20_000;

/// Within this all is at rest: a runner that found no job is retired after some minutes.
const AT_REST: Duration = Duration::from_mins(10);

#[tokio::test]
async fn all_that_should_run_ran_once_and_nothing_is_left_behind() {
    let _alone = alone().await;
    let seed = fastrand::u64(..);
    println!("500 jobs: seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let pools = vec![PoolOptions { name: "default", most: 24, per_scope: 8 }];
    let env = [("WORKER_RECONCILE_SECONDS", "2".to_owned())].into();
    let mut world = World::start(Options { ingests: 2, workers: 3, pools, env, ..Options::default() }).await;
    world.github.set_mischief(Mischief { seed, lost: 20, twice: 10, late: 5 });

    let begun = Instant::now();
    let mut due: BTreeMap<Instant, u64> = BTreeMap::new();
    let mut cancelled = BTreeSet::new();
    for number in 0..JOBS {
        let repository = format!("octocat/repo-{}", number % REPOSITORIES);
        let id = world.github.queue_job(job(&repository, "default", &format!("sleep 0.{}", rng.u8(1..5))));
        if rng.u8(..100) < CANCELLED {
            due.insert(Instant::now() + Duration::from_millis(rng.u64(..CANCELLED_WITHIN_MILLIS)), id);
        }
        cancel_due(&world, &mut due, &mut cancelled);
        world.next_ingest();
        sleep(EVERY).await;
    }
    while !due.is_empty() {
        cancel_due(&world, &mut due, &mut cancelled);
        sleep(EVERY).await;
    }
    let deadline = Instant::now() + AT_REST;
    while let Some(left) = left(&world) {
        if Instant::now() > deadline {
            let records = world.open_records().await;
            panic!("not in {AT_REST:?}: all is at rest: {left}\n{records}\n{}", world.story());
        }
        sleep(EVERY).await;
    }
    tell(&world, begun.elapsed(), cancelled.len()).await;
    check(&world, &cancelled);
}

/// Cancels the jobs whose time has come, and notes those that had not ended.
fn cancel_due(world: &World, due: &mut BTreeMap<Instant, u64>, cancelled: &mut BTreeSet<u64>) {
    let later = due.split_off(&Instant::now());
    for (_, id) in std::mem::replace(due, later) {
        if world.github.cancel_job(id) {
            cancelled.insert(id);
        }
    }
}

/// What waits anywhere, or is left of a runner; nothing, once all is at rest: nobody but the workers has put anything right.
fn left(world: &World) -> Option<String> {
    let jobs: Vec<_> = world.github.jobs().into_iter().filter(|job| job.status != JobStatus::Completed).collect();
    // What is in the queue makes containers, and those have runners: looked at in this order, nothing on its way is missed.
    let open = world.open();
    let containers: Vec<_> = world.engines().flat_map(docker::StandIn::containers).collect();
    let runners = world.github.runners();
    let at_rest = jobs.is_empty() && containers.is_empty() && open == Some(0) && runners.is_empty();
    (!at_rest)
        .then(|| format!("jobs {jobs:?}; containers {containers:?}; open in the queue {open:?}; runners {runners:?}"))
}

/// Prints what a run came to.
async fn tell(world: &World, took: Duration, cancelled: usize) {
    let mut reconciled: BTreeMap<String, u64> = BTreeMap::new();
    for worker in &world.workers {
        let metrics = world.metrics(worker).await;
        for line in metrics.lines().filter_map(|line| line.strip_prefix("autoscaler_reconciled_total{what=\"")) {
            let (what, count) = line.split_once("\"} ").unwrap();
            *reconciled.entry(what.to_owned()).or_default() += count.parse::<u64>().unwrap();
        }
    }
    println!("500 jobs: at rest after {took:?}, cancelled={cancelled}, {:?}, {reconciled:?}", world.github.befallen());
    assert!(reconciled["enqueued"] > 0 && reconciled["closed"] > 0, "{reconciled:?}");
}

fn check(world: &World, cancelled: &BTreeSet<u64>) {
    let counts = Counts::of(world);
    counts.hold("500 jobs");
    let jobs = world.github.jobs();
    assert_eq!(jobs.len(), JOBS);
    let mut runs: BTreeMap<u64, usize> = BTreeMap::new();
    for took in world.engines().flat_map(|engine: &docker::StandIn| engine.counts().started).filter_map(|it| it.took) {
        *runs.entry(took).or_default() += 1;
    }
    for job in &jobs {
        let (ran, conclusion) = (runs.get(&job.id).copied().unwrap_or_default(), job.conclusion);
        if cancelled.contains(&job.id) {
            assert!(ran <= 1 && conclusion != Some(Conclusion::Failure), "{job:?} ran {ran} times");
        } else {
            assert_eq!((ran, conclusion), (1, Some(Conclusion::Success)), "{job:?}");
        }
    }
    let states = world.states(&jobs.iter().map(|job| job.id).collect());
    let ended = states.values().filter(|state| ["done", "cancelled"].contains(&state.as_str())).count();
    assert_eq!(ended, states.len(), "{states:?}");
    println!("500 jobs: ran={} records={} idle={}", runs.len(), states.len(), counts.idle);
}
