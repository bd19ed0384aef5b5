//! Thousands of jobs while one process is killed every second.

use std::{collections::VecDeque, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    counts::Counts,
    spec::{Options, PoolOptions, job},
    store::Kind,
    watcher::Watcher,
    world::{World, alone},
};

/// How many jobs there are, unless `FAULTS_JOBS` says otherwise.
const JOBS: usize = 1500;
const INGESTS: usize = 3;
const WORKERS: usize = 5;
/// The repositories whose jobs they are.
const SCOPES: usize = 6;
/// No more jobs wait at once: GitHub's stand-in has other things to do as well.
const WAITING_MAX: u64 = 200;
const ADDED: usize = 25;
/// One process is killed so often.
const KILL_EVERY: Duration = Duration::from_secs(1);
/// How long a killed worker stays away, in turn: less than a lease, and more.
const AWAY: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5)];
/// What is left then, may take so long: leases expire, and failed attempts wait for the next.
const REST: Duration = Duration::from_mins(2);

/// Who is killed, in turn.
#[derive(Clone, Copy)]
enum Victim {
    Worker,
    Ingest,
    Redis,
}

/// Kills one process after the other, and brings each back.
struct Killer {
    victims: std::iter::Cycle<std::array::IntoIter<Victim, 4>>,
    next: Instant,
    kills: usize,
    /// Workers that are to be started, and when.
    away: VecDeque<(usize, Instant)>,
}

impl Killer {
    fn new() -> Self {
        // A file has no process of its own.
        let store = if crate::STORE == Kind::Redis { Victim::Redis } else { Victim::Ingest };
        let victims = [Victim::Worker, Victim::Ingest, Victim::Worker, store];
        Self {
            victims: victims.into_iter().cycle(),
            next: Instant::now() + KILL_EVERY,
            kills: 0,
            away: VecDeque::new(),
        }
    }

    async fn act(&mut self, world: &mut World) {
        let now = Instant::now();
        while let Some((worker, _)) = self.away.pop_front_if(|(_, back)| *back <= now) {
            world.workers[worker].start();
        }
        if now < self.next {
            return;
        }
        self.next = now + KILL_EVERY;
        self.kills += 1;
        match self.victims.next() {
            Some(Victim::Worker) => {
                let worker = fastrand::usize(..WORKERS);
                if self.away.iter().all(|(away, _)| *away != worker) {
                    world.workers[worker].kill();
                    self.away.push_back((worker, now + AWAY[self.kills / 2 % AWAY.len()]));
                    self.away.make_contiguous().sort_by_key(|(_, back)| *back);
                }
            }
            Some(Victim::Ingest) => {
                let ingest = fastrand::usize(..INGESTS);
                world.ingests[ingest].kill();
                world.ingests[ingest].start();
            }
            Some(Victim::Redis) | None => {
                world.store.redis().kill();
                world.store.redis().restart().await.unwrap();
            }
        }
    }

    /// Brings back who is away.
    fn end(&mut self, world: &mut World) {
        for (worker, _) in self.away.drain(..) {
            world.workers[worker].start();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_or_doubled_while_a_process_is_killed_every_second() {
    let _alone = alone().await;
    let jobs = std::env::var_os("FAULTS_JOBS").map_or(JOBS, |jobs| jobs.to_str().unwrap().parse().unwrap());
    let pools =
        [("default", 12, 4), ("large", 3, 2)].map(|(name, most, per_scope)| PoolOptions { name, most, per_scope });
    let options = Options { ingests: INGESTS, workers: WORKERS, pools: pools.to_vec(), ..Options::default() };
    let mut world = World::start(options).await;
    let scopes: Vec<String> = (0..SCOPES).map(|number| format!("octocat/repo-{number}")).collect();
    let watcher =
        Watcher::start(world.store.way(), pools.iter().map(|pool| pool.name.to_owned()).collect(), scopes.clone());
    let mut killer = Killer::new();
    let begun = Instant::now();
    let mut added = 0;
    let busy = |world: &World| world.open().is_none_or(|open| open > WAITING_MAX);
    while added < jobs {
        if !busy(&world) {
            for _ in 0..ADDED.min(jobs - added) {
                let pool = if added.is_multiple_of(7) { "large" } else { "default" };
                world.github.queue_job(job(&scopes[added % SCOPES], pool, "true"));
                added += 1;
            }
        }
        killer.act(&mut world).await;
        world.github.redeliver_failed();
        world.next_ingest();
        sleep(Duration::from_millis(50)).await;
    }
    // The last of them under fire as well.
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        killer.act(&mut world).await;
        world.github.redeliver_failed();
        world.next_ingest();
        sleep(Duration::from_millis(50)).await;
    }
    killer.end(&mut world);
    world.rest(REST).await;
    let first = Counts::of(&world);
    let died = first.dead;
    if died > 0 {
        println!("kills: {first}; replaying {died}");
        world.command(&["dead", "replay", "--all"]).await;
        world.rest(REST).await;
    }

    let (mut counts, seen) = (Counts::of(&world), watcher.seen());
    for pool in &pools {
        let most = seen.most.get(pool.name).copied().unwrap_or_default();
        if most > pool.most as u64 {
            counts.exceeded.push(format!("{most} leases of {} in {}", pool.most, pool.name));
        }
    }
    println!(
        "kills: {jobs} jobs, {} kills in {:?}, {died} died on the way; seen {seen:?}; {} registrations left",
        killer.kills,
        begun.elapsed(),
        world.github.runners().len()
    );
    counts.hold("kills");
    assert_eq!((counts.accepted, counts.dead), (jobs, 0));
    assert_eq!(seen.bad, 0, "entries in two places");
}
