//! What a worker keeps alive in the queue, against a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{sync::Arc, time::Duration};

use devstack::harness::RedisServer;
use secrecy::SecretString;
use shared::{
    model::{JobMessage, PoolName, Pools, WorkerName},
    pools::LivePools,
    queue::{Lease, Queue, QueueConfig, Reserved, What},
    settings::Environment,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use worker::{
    keeper::{Hold, Keeper},
    served::ServedPools,
};

/// Short, to be waited for. A worker beats every third of it.
const LEASE: Duration = Duration::from_millis(900);

/// How many runners the pool may have.
const LIMIT: &str = "2";

struct World {
    redis: RedisServer,
    pools: LivePools,
    parts: JoinSet<()>,
    lease: Duration,
}

impl World {
    async fn new() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let (_, default) = shared::pools::load(&mut Environment::of([("RUNNER_MAX_RUNNERS", LIMIT)]));
        let all = ["default", "other", "bad"].map(|name| format!("[[pool]]\nname = \"{name}\"\n")).concat();
        let all = Pools::parse(&all, default.now().iter().next().unwrap()).unwrap();
        let world = Self { redis, pools: LivePools::fixed(all), parts: JoinSet::new(), lease: LEASE };
        world.queue().set_limits(&world.pools.now()).await.unwrap();
        world
    }

    fn queue(&self) -> Queue {
        let url = SecretString::from(self.redis.url());
        Queue::new(&QueueConfig { url, lease_seconds: self.lease, ..QueueConfig::default() }).unwrap()
    }

    /// A worker's keeper, which beats.
    fn keeper(&mut self, name: &str) -> Arc<Keeper> {
        self.keeper_of(name, &["default"])
    }

    /// The same, of a worker that serves these pools.
    fn keeper_of(&mut self, name: &str, served: &[&str]) -> Arc<Keeper> {
        let only = served.iter().map(|pool| pool.parse().unwrap()).collect();
        let served = ServedPools::new(self.pools.clone(), only);
        let keeper = Keeper::new(self.queue(), worker(name), served, 5, Arc::default());
        let beating = Arc::clone(&keeper);
        self.parts.spawn(async move { beating.run(CancellationToken::new()).await });
        keeper
    }

    async fn enqueue(&self, id: u64) {
        let message = JobMessage {
            job_id: id.to_string().parse().unwrap(),
            run_id: 1,
            run_attempt: 1,
            name: "build".to_owned(),
            workflow: None,
            html_url: None,
            repository: Some("octo/repo".parse().unwrap()),
            scope: "octo/repo".parse().unwrap(),
            labels: "self-hosted".parse().unwrap(),
            pool: PoolName::default_pool(),
            installation_id: None,
            delivery: format!("guid-{id}").parse().unwrap(),
            trace: None,
        };
        self.queue().enqueue(&message).await.unwrap();
    }

    async fn reserve(&self, name: &str) -> Reserved {
        self.queue().reserve(&PoolName::default_pool(), &worker(name)).await.unwrap()
    }

    async fn lease(&self, name: &str) -> Lease {
        match self.reserve(name).await {
            Reserved::Job(lease) => *lease,
            other => panic!("no job: {other:?}"),
        }
    }

    /// Sees that nobody else gets the job, and that its worker knows that it is held.
    async fn is_kept(&self, hold: &Hold) {
        for _ in 0..30 {
            let reserved = self.reserve("another").await;
            assert!(matches!(reserved, Reserved::Empty { next_due: None }), "{reserved:?}");
            sleep(LEASE / 10).await;
        }
        assert!(hold.is_fresh() && !hold.lost.is_cancelled());
    }
}

fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

#[tokio::test]
async fn a_store_that_lost_everything_gets_it_back_from_the_workers_and_never_has_more_runners_than_the_limit() {
    let mut world = World::new().await;
    for id in 1..=2 {
        world.enqueue(id).await;
    }
    let a = world.keeper("a");
    sleep(LEASE / 6).await; // they do not beat at the same time
    let b = world.keeper("b");
    let (of_a, of_b) = (world.lease("a").await, world.lease("b").await);
    let holds = [a.hold(&of_a, Instant::now()), b.hold(&of_b, Instant::now())];
    sleep(LEASE / 2).await;

    world.redis.flush().unwrap();
    for id in 3..=4 {
        world.enqueue(id).await;
    }
    let mut unknown = 0;
    for _ in 0..20 {
        match world.reserve("a").await {
            Reserved::LimitUnknown => unknown += 1,
            Reserved::Full => {}
            other => panic!("a runner too many: {other:?}"),
        }
        sleep(LEASE / 10).await;
    }
    assert!((1..15).contains(&unknown), "{unknown}");
    assert!(holds.iter().all(|hold| !hold.lost.is_cancelled() && hold.is_fresh()));
    let status = world.queue().status().await.unwrap();
    let pool = status.pools.iter().find(|pool| pool.name == PoolName::default_pool()).unwrap();
    assert_eq!((pool.limit, pool.running, pool.pending), (2, 2, 2));
}

#[tokio::test]
async fn what_happens_to_a_job_is_on_its_record_long_before_the_next_beat() {
    let mut world = World::new().await;
    world.lease = Duration::from_mins(10);
    world.enqueue(1).await;
    let keeper = world.keeper("a");
    let mut lease = world.lease("a").await;
    let hold = keeper.hold(&lease, Instant::now());
    let deadline = Instant::now() + Duration::from_secs(30);
    for what in [What::Listening, What::Running] {
        lease.happened(what, "");
        hold.tell();
        loop {
            let record = world.queue().job(lease.job_id()).await.unwrap().unwrap();
            if record.events.iter().any(|event| event.what == what.as_str()) {
                break;
            }
            assert!(Instant::now() < deadline, "not on the record: {record:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_lease_that_another_worker_has_is_lost() {
    let mut world = World::new().await;
    world.enqueue(1).await;
    let keeper = world.keeper("a");
    let lease = world.lease("a").await;
    let hold = keeper.hold(&lease, Instant::now());
    world.redis.command("HSET gha:{default}:job:1 epoch 7").unwrap();
    sleep(LEASE / 2).await;
    assert!(hold.lost.is_cancelled());
}

#[tokio::test]
async fn the_lease_of_a_runner_is_kept_whose_pool_the_worker_does_not_serve_any_more() {
    let mut world = World::new().await;
    world.enqueue(1).await;
    let keeper = world.keeper_of("a", &["other"]);
    let lease = world.lease("a").await;
    world.is_kept(&keeper.hold(&lease, Instant::now())).await;
}

#[tokio::test]
async fn a_pool_that_cannot_be_beaten_costs_no_other_its_leases() {
    let mut world = World::new().await;
    world.redis.command("SET gha:{bad}:delayed spoilt").unwrap();
    world.enqueue(1).await;
    let keeper = world.keeper_of("a", &["bad", "default"]);
    let lease = world.lease("a").await;
    world.is_kept(&keeper.hold(&lease, Instant::now())).await;
    assert_eq!(world.redis.command("HEXISTS gha:workers a").unwrap(), ":1", "it says that it is there");
}

#[tokio::test]
async fn a_lease_whose_answer_came_late_is_not_fresh_before_a_beat() {
    let mut world = World::new().await;
    world.enqueue(1).await;
    let keeper = world.keeper("a");
    let lease = world.lease("a").await;
    let hold = keeper.hold(&lease, Instant::now() - LEASE);
    assert!(!hold.is_fresh());
    sleep(LEASE / 2).await;
    assert!(hold.is_fresh());
}
