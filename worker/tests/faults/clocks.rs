//! Row 4: workers whose clocks are wrong. (That of Redis counts, and those that only go forward.) And the one
//! of Redis steps.

use std::{fs, path::PathBuf, time::Duration};

use devstack::github::{Effect, Fault, JobStatus};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{Instant, sleep};

use crate::{
    counts::Counts,
    load::{JOBS, options, under_load},
    points::ELSEWHERE,
    spec::{LEASE, Options, PoolOptions, job},
    world::{PATIENCE, World, alone},
};

/// By how many seconds the clock of Redis steps.
const STEP: i64 = 60;

/// Where Debian has the library, whatever the machine.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}

#[tokio::test]
async fn workers_clocks_may_be_wrong_by_an_hour() {
    let _alone = alone().await;
    let library = library().expect("this test needs libfaketime: apt-get install faketime");
    let mut world = World::still(options()).await;
    for (number, offset) in ["+1h", "-1h", "+0"].into_iter().enumerate() {
        let spec = world.workers[number].spec.clone().env("LD_PRELOAD", &library).env("FAKETIME", offset);
        world.workers[number].spec = spec;
        world.workers[number].start();
        world.worker_is_up(number).await;
    }
    let said = world.workers[0].process().lines().remove(0);
    let (stamp, _) = said.split_once(' ').unwrap();
    let ahead = OffsetDateTime::parse(stamp, &Rfc3339).unwrap() - OffsetDateTime::now_utc();
    assert!(ahead.whole_minutes() > 50, "its clock is right: {said}");
    under_load("clocks wrong by an hour", world, JOBS, async |world, number| {
        if number % 20 == 10 {
            let worker = number / 20;
            world.workers[worker].kill();
            world.workers[worker].start();
        }
    })
    .await;
}

/// Forward, all leases seem to have expired at once, while their workers are well.
#[tokio::test]
async fn the_clock_of_redis_may_step_by_a_minute() {
    let _alone = alone().await;
    let world = World::start(Options { clock: true, ..options() }).await;
    let step = async |world: &mut World, number: usize| {
        // A runner is being made at each step.
        if number % 10 == 4 {
            world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Delay(2000)));
        }
        let ahead = match number {
            10 => STEP,
            20 => 2 * STEP,
            30 => STEP,
            40 => 0,
            50 => -STEP,
            _ => return,
        };
        world.redis.set_clock(ahead).unwrap();
        sleep(Duration::from_secs(LEASE + 1)).await;
    };
    let world = under_load("Redis' clock steps by a minute", world, JOBS, step).await;
    for job in world.github.jobs() {
        let record = world.record(job.id).await.unwrap();
        assert!(record.events.iter().all(|event| event.what != "worker_lost"), "{record:#?}");
    }
}

/// Back, the leases of a dead worker seem to last longer by as much; but no longer than that.
#[tokio::test]
async fn a_step_back_of_the_clock_of_redis_holds_a_dead_workers_job_up_for_no_longer() {
    let _alone = alone().await;
    let pools = vec![PoolOptions { name: "default", most: 1, per_scope: 1 }];
    let mut world = World::still(Options { pools, clock: true, ..Options::default() }).await;
    world.workers[0].start();
    world.worker_is_up(0).await;
    world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Hang));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("its runner is made", async || world.docker.faults_left() == 0).await;
    let other = world.github.queue_job(job("octocat/other", "default", "true"));
    world.until("the other waits", async || world.number("ZCARD gha:{default}:queued") == Some(1)).await;

    world.workers[0].kill();
    world.redis.set_clock(-STEP).unwrap();
    let begun = Instant::now();
    world.workers[1].start();
    world.worker_is_up(1).await;
    let longest = Duration::from_secs(STEP.unsigned_abs()) + ELSEWHERE;
    world.github.wait_for_job(id, JobStatus::InProgress, longest).await.unwrap();
    println!("clock of Redis set back: its job ran after {:?}", begun.elapsed());
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("clock of Redis set back, and a worker killed");
    assert_eq!((counts.done, counts.runners), (2, 2));
    assert_eq!(world.github.job(other).unwrap().status, JobStatus::Completed);
}
