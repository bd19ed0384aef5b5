//! Row 3: the network to Redis is cut, silent and slow, and loses packets.

use std::time::Duration;

use devstack::{
    github::JobStatus,
    harness::{Held, Loss},
};
use shared::model::JobState;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    counts::Counts,
    load::{JOBS, options, under_load},
    spec::{LEASE, Options, job},
    world::{PATIENCE, World, turn},
};

/// A wait for a wake-up that never comes costs its own length and the time in which its answer is missed, and no more.
const WOKEN: Duration = Duration::from_secs(15);

async fn world() -> World {
    World::start(Options { proxied: true, ..options() }).await
}

#[tokio::test]
async fn the_network_may_be_cut() {
    let _turn = turn().await;
    let cut = async |world: &mut World, number: usize| {
        let Some(proxy) = world.proxies().nth(number % 5) else { return };
        if number % 10 < 5 {
            proxy.cut().await;
            proxy.pass().await.unwrap();
        }
        if number == 30 {
            for proxy in world.proxies() {
                proxy.cut().await;
            }
            sleep(Duration::from_secs(LEASE + 1)).await;
            for proxy in world.proxies() {
                proxy.pass().await.unwrap();
            }
        }
    };
    under_load("network cut", world().await, JOBS, cut).await;
}

#[tokio::test]
async fn the_network_may_swallow_everything() {
    let _turn = turn().await;
    let hole = async |world: &mut World, number: usize| match number {
        // One worker alone, for more than a lease: it is a zombie then.
        10 => world.workers[0].proxy().hold(),
        25 => sleep(Duration::from_secs(LEASE + 2)).await,
        26 => world.workers[0].proxy.as_mut().unwrap().pass().await.unwrap(),
        // Everybody.
        40 => {
            for proxy in world.proxies() {
                proxy.hold();
            }
            sleep(Duration::from_secs(LEASE + 2)).await;
            for proxy in world.proxies() {
                proxy.pass().await.unwrap();
            }
        }
        _ => {}
    };
    under_load("black hole", world().await, JOBS, hole).await;
}

/// By the machine's packet filter, as on a broken line: the kernels of both ends send again and again, and give up.
#[tokio::test]
async fn packets_may_be_lost() {
    let _turn = turn().await;
    let world = world().await;
    let id = world.github.queue_job(job("octocat/long", "default", "sleep 8"));
    world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
    let holder = world.record(id).await.unwrap().worker.unwrap();
    let zombie = world.workers.iter().position(|worker| worker.name == holder.as_str()).unwrap();
    let mut losses = Vec::new();
    let lose = async |world: &mut World, number: usize| match number {
        // What one worker sends, for more than a lease: another of its host takes its runners up, and it is a zombie then.
        10 => losses.push(Loss::of_requests(world.workers[zombie].proxy().port()).unwrap()),
        25 => {
            sleep(Duration::from_secs(LEASE + 2)).await;
            let record = world.record(id).await.unwrap();
            assert!(record.state == JobState::Running && record.worker.as_ref() != Some(&holder), "{record:#?}");
            losses.clear();
        }
        // What everybody is answered.
        40 => {
            losses.extend(world.proxies().map(|proxy| Loss::of_answers(proxy.port()).unwrap()));
            sleep(Duration::from_secs(LEASE + 2)).await;
            losses.clear();
            for worker in &mut world.workers {
                let lines = worker.process().lines();
                assert!(lines.iter().any(|line| line.contains("Cannot extend the leases")), "{lines:#?}");
            }
        }
        _ => {}
    };
    let world = under_load("packets dropped", world, JOBS, lose).await;
    assert_eq!(world.docker.counts().started.iter().filter(|started| started.job == Some(id)).count(), 1);
}

#[tokio::test]
async fn answers_may_be_lost() {
    let _turn = turn().await;
    let lose = async |world: &mut World, number: usize| {
        if number % 10 == 5 {
            for proxy in world.proxies() {
                proxy.swallow_answers();
            }
            sleep(Duration::from_millis(500)).await;
            for proxy in world.proxies() {
                proxy.pass().await.unwrap();
            }
        }
    };
    under_load("answers lost", world().await, JOBS, lose).await;
}

#[tokio::test]
async fn the_network_may_be_slow() {
    let _turn = turn().await;
    let mut world = world().await;
    for proxy in world.proxies() {
        proxy.delay(Duration::from_millis(250)); // each way
    }
    under_load("500 ms of latency", world, 20, async |_: &mut World, _| {}).await;
}

#[tokio::test]
async fn a_wake_up_that_is_lost_costs_seconds() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, proxied: true, ..Options::default() }).await;
    world.workers[0].proxy().trap("BZPOPMIN", Held::Answer);
    timeout(PATIENCE, world.workers[0].proxy().caught()).await.unwrap();
    let begun = Instant::now();
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.github.wait_for_job(id, JobStatus::InProgress, WOKEN).await.unwrap();
    println!("half-open at BZPOPMIN: it ran after {:?}", begun.elapsed());
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("half-open at BZPOPMIN");
}
