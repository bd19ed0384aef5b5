//! Row 1: a worker that is killed, or frozen for two leases, at each point of a job's way.

use std::time::Duration;

use devstack::{
    github::{Effect, Fault, JobStatus},
    harness::{Held, Signal},
};
use futures_util::future::join_all;
use shared::model::JobState;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    counts::Counts,
    spec::{LEASE, Options, PoolOptions, job},
    store::Kind,
    world::{PATIENCE, World, alone},
};

const JIT: &str = "/repos/{owner}/{repo}/actions/runners/generate-jitconfig";

/// A starting job runs elsewhere so soon after its worker's death: once its lease has expired, and a beat or a reservation
/// of another worker has seen it.
pub(crate) const ELSEWHERE: Duration = Duration::from_secs(LEASE + 5);

/// For longer than its worker is frozen, or dead, without being missed.
const LONG: &str = "sleep 7";

/// Where a job has come to when its worker is hit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Point {
    /// The queue has leased it; the worker has not heard of it.
    Reserved,
    /// GitHub was asked for a runner's registration, which it has not made.
    TokenSent,
    /// GitHub has registered the runner; the worker has not heard of it.
    TokenGiven,
    /// The engine was asked to create the container, which it has not.
    CreateSent,
    /// The engine has created it; the worker has not heard of it.
    Created,
    /// The engine was asked to start it, which it has not.
    StartSent,
    /// The engine has refused to start it, and it is gone; the queue is to be told that it is to be tried again.
    Refused,
    /// The engine has started it; the worker has not heard of it.
    Started,
    /// The runner works on the job.
    Running,
    /// The runner has ended; its container is to be removed.
    Exited,
    /// The container is gone; the queue is to be told that the job is done.
    Removed,
    /// The queue knows that it is done; the worker does not know that it does.
    Finished,
}

const POINTS: [Point; 12] = [
    Point::Reserved,
    Point::TokenSent,
    Point::TokenGiven,
    Point::CreateSent,
    Point::Created,
    Point::StartSent,
    Point::Refused,
    Point::Started,
    Point::Running,
    Point::Exited,
    Point::Removed,
    Point::Finished,
];

/// What happens to the worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Blow {
    /// SIGKILL; it comes back when everything is over.
    Kill,
    /// SIGKILL; it comes back at once.
    Restart,
    /// SIGSTOP for two leases: it comes back as a zombie.
    Freeze,
}

impl Point {
    /// All at which a job can be made to stop: what is asked of a file cannot be held back on its way.
    fn all() -> impl Iterator<Item = Self> {
        let on_the_way = [Self::Reserved, Self::Refused, Self::Removed, Self::Finished];
        POINTS.into_iter().filter(move |point| crate::STORE == Kind::Redis || !on_the_way.contains(point))
    }

    /// Whether the job's runner may be up, so that no second one may be started.
    fn may_run(self) -> bool {
        self >= Self::Started
    }

    fn script(self) -> &'static str {
        if matches!(self, Self::Started | Self::Running) { LONG } else { "true" }
    }

    /// Makes the job stop there.
    fn arm(self, world: &World, blow: Blow) {
        // For a worker that comes back, the answer is there then: what was asked was done meanwhile.
        let (asked, done) = match blow {
            Blow::Kill | Blow::Restart => (Effect::Hang, Effect::Late(120_000)),
            Blow::Freeze => (Effect::Delay(1000), Effect::Late(1000)),
        };
        let jit = |effect| world.github.fault(Fault::once("POST", "/repos/*/generate-jitconfig", effect));
        let docker = |method, path, effect| world.docker.fault(Fault::once(method, path, effect));
        let redis = |sought: &str, held| world.workers[0].proxy().trap(sought, held);
        match self {
            Self::Reserved => redis("\r\nworker-0\r\n$4\r\n3000\r\n", Held::Answer),
            Self::TokenSent => jit(asked),
            Self::TokenGiven => jit(done),
            Self::CreateSent => docker("POST", "/containers/*/create", asked),
            Self::Created => docker("POST", "/containers/*/create", done),
            Self::StartSent => docker("POST", "/containers/*/start", asked),
            Self::Refused => {
                docker("POST", "/containers/*/start", Effect::status(500, "no space left on device"));
                redis("\r\n$5\r\nretry\r\n", Held::Request);
            }
            Self::Started => docker("POST", "/containers/*/start", done),
            Self::Running => {}
            Self::Exited => docker("DELETE", "/containers/*", asked),
            Self::Removed => redis("\r\n$4\r\ndone\r\n", Held::Request),
            Self::Finished => redis("\r\n$4\r\ndone\r\n", Held::Answer),
        }
    }

    /// Waits until the job is there.
    async fn reached(self, world: &World, id: u64) {
        let what = format!("{self:?} is reached");
        match self {
            Self::Reserved | Self::Refused | Self::Removed | Self::Finished => {
                let caught = timeout(PATIENCE, world.workers[0].proxy().caught()).await;
                assert!(caught.is_ok(), "not in {PATIENCE:?}: {what}\n{}", world.story());
            }
            Self::Running => {
                world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
                world
                    .until(&what, async || {
                        let record = world.record(id).await;
                        record.is_some_and(|record| record.events.iter().any(|event| event.what == "running"))
                    })
                    .await;
            }
            _ => {
                world.until(&what, async || world.github.faults_left() + world.docker.faults_left() == 0).await;
            }
        }
    }
}

impl PartialOrd for Point {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

/// Hits the worker when its job has come to `point`, while another job waits for the pool's only slot and another worker is
/// there.
async fn hit(point: Point, blow: Blow) {
    let pools = vec![PoolOptions { name: "default", most: 1, per_scope: 1 }];
    let mut world = World::still(Options { pools, proxied: true, ..Options::default() }).await;
    world.workers[0].start();
    world.worker_is_up(0).await;
    world.until("the worker has looked around", async || world.workers_there().await == Some(1)).await;

    point.arm(&world, blow);
    let id = world.github.queue_job(job("octocat/one", "default", point.script()));
    point.reached(&world, id).await;
    let other = world.github.queue_job(job("octocat/other", "default", "true"));
    world.workers[1].start();
    world.worker_is_up(1).await;

    let begun = Instant::now();
    match blow {
        Blow::Kill | Blow::Restart => {
            world.workers[0].kill();
            world.workers[0].release();
            if blow == Blow::Restart {
                world.workers[0].start();
            } else if !point.may_run() {
                world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
                let took = begun.elapsed();
                assert!(took < ELSEWHERE, "{point:?}: it ran elsewhere after {took:?}");
            }
        }
        Blow::Freeze => {
            world.workers[0].process().signal(Signal::STOP).unwrap();
            world.workers[0].release();
            sleep(Duration::from_secs(2 * LEASE)).await;
            world.workers[0].process().signal(Signal::CONT).unwrap();
        }
    }
    world.rest(PATIENCE).await;

    for id in [id, other] {
        let record = world.record(id).await.unwrap();
        assert_eq!(record.state, JobState::Done, "{point:?} {record:#?}");
    }
    if blow != Blow::Kill {
        assert!(world.workers[0].process().ended().is_none(), "it went on");
    }
    if point.may_run() {
        let registered = world.github.count("POST", JIT);
        assert_eq!(registered, 2, "{point:?}: one runner for each job");
    }
    Counts::of(&world).hold(&format!("{blow:?} at {point:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_may_be_killed_at_any_point_of_a_jobs_way() {
    let _alone = alone().await;
    join_all(Point::all().map(|point| hit(point, Blow::Kill))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_may_be_killed_at_any_point_of_a_jobs_way_and_come_back() {
    let _alone = alone().await;
    join_all(Point::all().map(|point| hit(point, Blow::Restart))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_may_be_frozen_for_two_leases_at_any_point_of_a_jobs_way() {
    let _alone = alone().await;
    join_all(Point::all().map(|point| hit(point, Blow::Freeze))).await;
}
