//! Row 4: the clock that the queue goes by steps. It is that of Redis, or the machine's.

use std::time::Duration;

use devstack::github::{Effect, Fault, JobStatus};
use tokio::time::{Instant, sleep};

use crate::{
    counts::Counts,
    load::{JOBS, options, under_load},
    points::ELSEWHERE,
    spec::{LEASE, Options, PoolOptions, job},
    world::{PATIENCE, World, turn},
};

/// By how many seconds it steps.
const STEP: i64 = 60;

/// Forward, all leases seem to have expired at once, while their workers are well.
#[tokio::test]
async fn the_queues_clock_may_step_by_a_minute() {
    let _turn = turn().await;
    let world = World::start(Options { clock: true, ..options() }).await;
    let step = async |world: &mut World, number: usize| {
        // A runner is being made at each step.
        if number % 10 == 4 {
            world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Delay(2000)));
        }
        let ahead = match number {
            10 | 30 => STEP,
            20 => 2 * STEP,
            40 => 0,
            50 => -STEP,
            _ => return,
        };
        world.store.set_clock(ahead);
        sleep(Duration::from_secs(LEASE + 1)).await;
    };
    let world = under_load("the clock steps by a minute", world, JOBS, step).await;
    for job in world.github.jobs() {
        let record = world.record(job.id).await.unwrap();
        assert!(record.events.iter().all(|event| event.what != "worker_lost"), "{record:#?}");
    }
}

/// Back, the leases of a dead worker seem to last longer by as much; but no longer than that.
#[tokio::test]
async fn a_step_back_of_the_queues_clock_holds_a_dead_workers_job_up_for_no_longer() {
    let _turn = turn().await;
    let pools = vec![PoolOptions { name: "default", most: 1, per_scope: 1 }];
    let mut world = World::still(Options { pools, clock: true, ..Options::default() }).await;
    world.workers[0].start();
    world.worker_is_up(0).await;
    world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Hang));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("its runner is made", async || world.docker.faults_left() == 0).await;
    let other = world.github.queue_job(job("octocat/other", "default", "true"));
    world.until("the other waits", async || world.store.count("default", "queued") == Some(1)).await;

    world.workers[0].kill();
    world.store.set_clock(-STEP);
    let begun = Instant::now();
    world.workers[1].start();
    world.worker_is_up(1).await;
    let longest = Duration::from_secs(STEP.unsigned_abs()) + ELSEWHERE;
    world.github.wait_for_job(id, JobStatus::InProgress, longest).await.unwrap();
    println!("clock set back: its job ran after {:?}", begun.elapsed());
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("clock set back, and a worker killed");
    assert_eq!((counts.done, counts.runners), (2, 2));
    assert_eq!(world.github.job(other).unwrap().status, JobStatus::Completed);
}
