//! What a job costs that is fulfilled: commands of Redis, and calls to GitHub. Counts, which do not depend on the machine's mood.

use std::{collections::BTreeSet, time::Duration};

use devstack::{
    github::{JobSpec, JobStatus},
    harness::Sent,
};
use shared::model::JobState;
use tokio::time::sleep;

use crate::world::{Options, PATIENCE, World};

/// The commands that a worker sends to Redis for one job, besides its beats:
///
/// 1. `reserve` leases the job;
/// 2. `admit` asks whether GitHub's limits leave room for the call that registers its runner;
/// 3. `heard` tells the other workers how GitHub answered;
/// 4. `progress` holds the slot for the container that is about to be started, and tells of what was done up to then;
/// 5. `progress` tells of the runner's end, before its container is removed;
/// 6. `settle` ends the lease.
///
/// What the runner does meanwhile (it listens, it runs) is told by beats.
const REDIS_MOST: usize = 6;

/// The call that registers its runner; and one more, for what is to be made up for.
const GITHUB_MOST: usize = 2;

/// What a worker sends whether it has jobs or not. A beat, which is one of these, is sent early if there is something to tell: once in a
/// second at the most, for all jobs of a pool together. `adopt` asks of a container that is not this worker's: those of other tests are on the
/// same engine. `EVAL` repeats a call, which counts, whose script the server has not seen yet.
const USUAL: [&str; 11] =
    ["beat", "runners", "audit", "adopt", "EVAL", "BZPOPMIN", "TIME", "SADD", "HSET", "PING", "EXISTS"];

/// What only a worker runs: by these its connections are known.
const WORKERS: [&str; 3] = ["reserve", "beat", "settle"];

/// A wait for a wake-up that lasted for so many seconds brought none: to ask then is no job's doing.
const WAIT: f64 = 4.9;

/// How long what comes after a job may take to be seen, should anything come.
const LAST: Duration = Duration::from_secs(1);

/// What a worker sent for jobs. A wait for a wake-up comes to nothing now and then; to ask after that is usual as well.
fn for_jobs(all: &[Sent]) -> Vec<Sent> {
    let workers: BTreeSet<&str> =
        all.iter().filter(|sent| WORKERS.contains(&sent.name.as_str())).map(|sent| sent.client.as_str()).collect();
    let mut waits = None;
    let mut for_jobs = Vec::new();
    for sent in all {
        if sent.name == "BZPOPMIN" {
            waits = Some(sent.at);
        }
        let in_vain = sent.name == "reserve" && waits.take().is_some_and(|since| sent.at - since >= WAIT);
        if workers.contains(sent.client.as_str()) && !USUAL.contains(&sent.name.as_str()) && !in_vain {
            for_jobs.push(sent.clone());
        }
    }
    for_jobs
}

#[tokio::test]
async fn a_fulfilled_job_takes_at_most_six_commands_of_redis_and_two_calls_to_github() {
    let mut world = World::start(Options::default()).await;
    let monitor = world.redis().monitor().unwrap();
    // By the first, connections stand and the server has the scripts.
    let mut before = (0, 0);
    for round in 0..3 {
        let id = world
            .github
            .queue_job(JobSpec { script: "sleep 1.5".to_owned(), ..JobSpec::of("octocat/hello".parse().unwrap()) });
        world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
        let record = world.record_when(id, JobState::Done).await;
        let story: Vec<&str> = record.events.iter().map(|event| event.what.as_str()).collect();
        for what in ["registered", "created", "started", "listening", "running", "exited", "removed"] {
            assert_eq!(story.iter().filter(|it| **it == what).count(), 1, "{what}: {record:#?}");
        }
        sleep(LAST).await;
        let (redis, mut github) = (for_jobs(&monitor.sent()), world.github.calls());
        github.retain(|call| call.route.starts_with("/repos/")); // the others are the runner's

        if round > 0 {
            let redis: Vec<&str> = redis[before.0..].iter().map(|sent| sent.name.as_str()).collect();
            assert!(redis.len() <= REDIS_MOST, "{}: {redis:?}", redis.len());
            for what in ["reserve", "admit", "heard", "progress", "settle"] {
                assert!(redis.contains(&what), "{what} is not seen: {redis:?}");
            }
            let github = &github[before.1..];
            assert!((1..=GITHUB_MOST).contains(&github.len()), "{github:#?}");
        }
        before = (redis.len(), github.len());
    }
    world.end().await;
}
