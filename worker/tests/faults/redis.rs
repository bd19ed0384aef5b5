//! Row 2: Redis dies, freezes, pauses, forgets scripts and connections, is full, and loses everything.

use std::{collections::BTreeSet, time::Duration};

use devstack::{
    github::{Conclusion, Effect, Fault, JobStatus},
    harness::Held,
};
use shared::model::JobState;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    counts::Counts,
    load::{JOBS, options, under_load},
    spec::{LEASE, Options, PoolOptions, job},
    webhooks::{ANSWERED, deliver},
    world::{PATIENCE, World, turn},
};

#[tokio::test]
async fn redis_may_be_killed_and_come_back_however_it_syncs() {
    let _turn = turn().await;
    for fsync in ["always", "everysec"] {
        let redis = vec!["--appendfsync".to_owned(), fsync.to_owned()];
        let world = World::start(Options { redis, ..options() }).await;
        under_load(&format!("redis killed, appendfsync {fsync}"), world, JOBS, async |world, number| {
            if number % 15 == 10 {
                world.store.redis().kill();
                world.store.redis().restart().await.unwrap();
            }
        })
        .await;
    }
}

/// For a third of a lease, and for more than three leases: with a lease of 30 s, as it is by default, that is for 10 s and
/// for 100 s.
#[tokio::test]
async fn redis_may_stand_still() {
    let _turn = turn().await;
    let world = World::start(options()).await;
    under_load("redis frozen", world, JOBS, async |world, number| {
        let still = match number {
            10 => Duration::from_secs(1),
            30 => Duration::from_secs(3 * LEASE + 1),
            _ => return,
        };
        world.store.redis().freeze().unwrap();
        sleep(still).await;
        world.store.redis().thaw().unwrap();
    })
    .await;
}

/// For twenty leases. What comes meanwhile is refused in time and comes again, runners that are up go on, and none is started.
#[tokio::test]
async fn redis_may_stand_still_for_a_minute() {
    const STILL: Duration = Duration::from_mins(1);
    const BEFORE: usize = 20;
    const WITH: usize = 40;
    let _turn = turn().await;
    let world = World::start(options()).await;
    let mut since = Instant::now();
    under_load("redis frozen for a minute", world, JOBS, async |world, number| {
        if number == BEFORE / 2 {
            // One that is to be started when the queue is away, and its lease has gone by.
            world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Delay(4 * LEASE * 1000)));
        }
        if number == BEFORE {
            world.store.redis().freeze().unwrap();
            since = Instant::now();
        }
        if number != WITH {
            return;
        }
        let (mut stored, mut refused) = (BTreeSet::new(), BTreeSet::new());
        let answered = async || {
            for delivered in world.github.deliveries().iter().filter(|it| it.action == "queued") {
                assert!(delivered.took < ANSWERED, "{delivered:?}");
                let known = if delivered.status == Some(202) { &mut stored } else { &mut refused };
                known.insert(delivered.job);
            }
            stored.len() + refused.len() == WITH
        };
        world.until("everything is answered", answered).await;
        assert!(stored.len() <= BEFORE && refused.is_disjoint(&stored), "stored {stored:?}, refused {refused:?}");
        sleep(Duration::from_secs(LEASE)).await; // what was just being started is up then
        let started = world.docker.counts().started.len();
        sleep_until(since + STILL).await;
        assert_eq!(world.docker.counts().started.len(), started, "started without the queue");
        let all = world.github.jobs();
        assert!(all.iter().all(|job| job.status != JobStatus::InProgress), "they went on to their end: {all:#?}");
        println!("redis frozen for a minute: {} refused, {started} runners by then", refused.len());
        world.store.redis().thaw().unwrap();
    })
    .await;
}

#[tokio::test]
async fn redis_may_pause_its_clients() {
    let _turn = turn().await;
    let world = World::start(options()).await;
    under_load("redis paused", world, JOBS, async |world, number| {
        let clients = match number {
            10 => "ALL",
            30 => "WRITE",
            _ => return,
        };
        world.store.redis().command(&format!("CLIENT PAUSE 4000 {clients}")).unwrap();
        sleep(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test]
async fn redis_may_forget_scripts_and_connections() {
    let _turn = turn().await;
    let world = World::start(options()).await;
    under_load("scripts flushed, clients killed", world, JOBS, async |world, number| {
        let command = if number % 2 == 0 { "SCRIPT FLUSH" } else { "CLIENT KILL TYPE normal" };
        if number % 5 == 0 {
            world.store.redis().command(command).unwrap();
        }
    })
    .await;
}

/// A worker that gives up a round at each of them waits for five seconds, three times.
#[tokio::test]
async fn pools_that_cannot_be_asked_for_jobs_hold_up_no_other() {
    const SPOILT: [&str; 3] = ["spoilt-1", "spoilt-2", "spoilt-3"];
    let _turn = turn().await;
    let pools = ["default"].into_iter().chain(SPOILT).map(|name| PoolOptions { name, most: 2, per_scope: 2 }).collect();
    let mut world = World::start(Options { workers: 1, pools, ..Options::default() }).await;
    for pool in SPOILT {
        world.store.redis().command(&format!("SET gha:{{{pool}}}:delayed spoilt")).unwrap();
    }
    for _ in 0..2 {
        let id = world.github.queue_job(job("octocat/one", "default", "true"));
        world.github.wait_for_job(id, JobStatus::InProgress, Duration::from_secs(8)).await.unwrap();
    }
    for pool in SPOILT {
        world.store.redis().command(&format!("DEL gha:{{{pool}}}:delayed")).unwrap();
    }
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("spoilt pools");
}

#[tokio::test]
async fn a_full_redis_takes_no_job_and_lets_those_that_it_has_end() {
    let _turn = turn().await;
    let mut world = World::start(options()).await;
    let known = world.github.queue_job(job("octocat/repo-0", "default", "sleep 2"));
    world.github.wait_for_job(known, JobStatus::InProgress, PATIENCE).await.unwrap();
    world.store.redis().command("CONFIG SET maxmemory 1").unwrap();

    let refused = world.github.queue_job(job("octocat/repo-1", "default", "true"));
    let failed = |delivered: devstack::github::Delivered| delivered.job == refused && delivered.status == Some(503);
    world.until("the job is refused", async || world.github.deliveries().into_iter().any(failed)).await;
    world.until("the other one has ended", async || world.open() == Some(0)).await;
    let record = world.record(known).await.unwrap();
    assert_eq!(record.state, JobState::Done, "{record:?}");
    assert!(world.record(refused).await.is_none(), "nothing of it is stored");

    world.store.redis().command("CONFIG SET maxmemory 0").unwrap();
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("redis full");
    assert_eq!((counts.accepted, counts.done), (2, 2));
}

/// What is lost are the jobs that waited, until they are delivered again. Runners that are up go on, and the limits hold for
/// what comes then.
#[tokio::test]
async fn a_redis_that_has_lost_everything_costs_no_running_job() {
    let _turn = turn().await;
    let pools = vec![PoolOptions { name: "default", most: 2, per_scope: 2 }];
    let mut world = World::start(Options { pools, ..Options::default() }).await;
    let queue = |script| world.github.queue_job(job("octocat/one", "default", script));
    let running = [queue("sleep 8"), queue("sleep 8")];
    for id in running {
        world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
    }
    let waiting: Vec<u64> =
        (0..6).map(|_| world.github.queue_job(job("octocat/one", "default", "sleep 0.5"))).collect();
    let answered = |world: &World| world.github.deliveries().iter().filter(|it| it.action == "queued").count();
    world.until("they wait, and GitHub knows that they are stored", async || answered(&world) == 8).await;

    world.store.redis().flush().unwrap();
    let lost = Counts::of(&world);
    println!("flushall: {lost}");
    assert_eq!(lost.lost.iter().copied().collect::<Vec<_>>(), waiting, "those that waited, and no other");
    for id in running {
        let job = world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
        assert_eq!(job.conclusion, Some(Conclusion::Success), "its runner was let be");
    }
    world.until("no container is left", async || world.docker.containers().is_empty()).await;

    for id in &waiting {
        assert!(world.github.send_webhook(*id));
    }
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold("flushall, and delivered again");
    assert!(counts.done >= waiting.len(), "{counts}");
}

#[tokio::test]
async fn a_delivery_that_failed_or_was_stored_without_an_answer_is_one_job_when_it_comes_again() {
    let _turn = turn().await;
    let mut world = World::start(Options { proxied: true, ..Options::default() }).await;
    let refused = world.github.add_job(job("octocat/one", "default", "true"));
    let payload = world.github.payload(refused).unwrap();
    world.store.redis().freeze().unwrap();
    assert_eq!(deliver(&world, 0, "refused", &payload).await, 503);
    world.store.redis().thaw().unwrap();
    // Redis reads what was sent to it while it stood still: it may be stored by now.
    world.until("it is taken", async || deliver(&world, 0, "refused", &payload).await < 300).await;

    let unheard = world.github.add_job(job("octocat/one", "default", "true"));
    let payload = world.github.payload(unheard).unwrap();
    let proxy = world.ingests[0].proxy.as_mut().unwrap();
    proxy.swallow_answers();
    assert_eq!(deliver(&world, 0, "unheard", &payload).await, 503);
    world.ingests[0].proxy.as_mut().unwrap().pass().await.unwrap();
    assert_eq!(deliver(&world, 0, "unheard", &payload).await, 200, "it was stored");

    world.rest(PATIENCE).await;
    Counts::of(&world).hold("503, and a timeout that was carried out");
    for id in [refused, unheard] {
        let record = world.record(id).await.unwrap();
        assert_eq!(record.state, JobState::Done, "{record:#?}");
    }
    assert_eq!(world.docker.counts().started.len(), 2);
}

/// The queue cannot be told that a runner has ended, and then its worker dies: the container is still there to tell it.
#[tokio::test]
async fn a_runners_end_is_in_the_queue_before_its_container_is_gone() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, proxied: true, ..Options::default() }).await;
    world.workers[0].proxy().trap("\r\nexited\r\n", Held::Request);
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    let caught = timeout(PATIENCE, world.workers[0].proxy().caught()).await;
    assert!(caught.is_ok(), "{}", world.story());
    world.workers[0].proxy().hold();
    sleep(Duration::from_secs(LEASE)).await; // more than the worker waits for one answer
    world.workers[0].kill();
    world.workers[0].proxy.as_mut().unwrap().pass().await.unwrap();
    world.workers[0].start();
    world.rest(PATIENCE).await;
    assert_eq!(world.record(id).await.unwrap().state, JobState::Done);
    Counts::of(&world).hold("an end that was not heard");
}
