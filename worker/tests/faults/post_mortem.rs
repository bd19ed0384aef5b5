//! What is left of a runner that failed.

use devstack::github::{Effect, Fault};
use serde_json::Value;
use shared::model::JobState;

use crate::{
    counts::Counts,
    spec::{Options, job},
    world::{PATIENCE, World, alone},
};

const SESSION: &str = "/_standin/runner/session";

/// GitHub does not know the runner, which says so and ends.
fn unknown() -> Fault {
    Fault::once("POST", SESSION, Effect::status(401, "Unauthorized"))
}

async fn post_mortem(world: &World, id: u64) -> Value {
    let said = world.command(&["job", &id.to_string(), "--json"]).await;
    let json = said.lines().find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str::<Value>(json).unwrap()["post_mortem"].clone()
}

#[tokio::test]
async fn a_job_shows_how_its_runner_ended_and_what_it_printed_last() {
    let _alone = alone().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.github.fault(unknown());
    let (failed, fine) = (
        world.github.queue_job(job("octocat/one", "default", "true")),
        world.github.queue_job(job("octocat/two", "default", "true")),
    );
    world.rest(PATIENCE).await;

    let mut ends = Vec::new();
    for id in [failed, fine] {
        ends.push(post_mortem(&world, id).await);
    }
    ends.sort_by_key(|end| end["log"].as_array().unwrap().is_empty());
    let [failed, fine] = &ends[..] else { panic!("{ends:?}") };
    let log = failed["log"].as_array().unwrap();
    assert!(log.iter().any(|line| line.as_str().unwrap().contains("registration has been deleted")), "{failed}");
    assert_eq!((&failed["exit_code"], &failed["oom"], &failed["signal"]), (&0.into(), &false.into(), &Value::Null));
    assert_eq!(fine["log"], Value::Array(Vec::new()), "{fine}");
    for end in [failed, fine] {
        assert!(end["image"].as_str().unwrap().starts_with("sha256:0000") && end["seconds"].is_u64(), "{end}");
    }
    Counts::of(&world).hold("post-mortems");
}

/// It is written before the container is removed, by which a worker that dies then would have lost it.
#[tokio::test]
async fn what_a_runner_printed_is_on_the_record_before_its_container_is_removed() {
    let _alone = alone().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.github.fault(unknown());
    world.docker.fault(Fault::once("DELETE", "/containers/*", Effect::Hang));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("the container is to be removed", async || world.docker.faults_left() == 0).await;
    world.workers[0].kill();
    let record = world.record(id).await.unwrap();
    assert_eq!(record.state, JobState::Starting);
    let log = record.post_mortem.unwrap().log;
    assert!(log.iter().any(|line| line.contains("registration has been deleted")), "{log:?}");
    world.workers[0].start();
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("a worker that dies after a post-mortem");
}

/// A runner that prints the credentials it was given.
#[tokio::test]
async fn no_secret_of_a_runner_is_on_the_record() {
    let _alone = alone().await;
    let mut world = World::still(Options { workers: 1, ..Options::default() }).await;
    world.docker.prints_credentials(true);
    world.workers[0].start();
    world.worker_is_up(0).await;
    world.github.fault(unknown());
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.rest(PATIENCE).await;
    let log = world.record(id).await.unwrap().post_mortem.unwrap().log.join("\n");
    assert!(log.contains("\"AgentName\"") && log.contains("***"), "it printed its files: {log}");
    let words = log.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c));
    let longest = words.max_by_key(|word| word.len()).unwrap();
    assert!(longest.len() < 80, "{longest}");
}
