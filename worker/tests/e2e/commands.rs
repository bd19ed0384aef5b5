//! What an operator does about jobs, from the command line.

use devstack::github::{Effect, Fault, JobSpec, JobStatus};
use serde_json::Value;
use shared::model::JobState;

use crate::world::{Options, PATIENCE, World};

const JIT: &str = "/repos/octocat/hello/actions/runners/generate-jitconfig";

fn job() -> JobSpec {
    JobSpec::of("octocat/hello".parse().unwrap())
}

/// What a command prints as JSON.
async fn json(world: &World, arguments: &[&str]) -> Value {
    let (code, said) = world.command(&[arguments, &["--json"]].concat()).await;
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    let line = said.lines().find(|line| line.starts_with('{') || line.starts_with('[')).unwrap();
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn a_dead_letter_that_is_replayed_after_its_cause_is_gone_ends_in_a_runner() {
    let world = World::start(Options::default()).await;
    world.github.fault(Fault::once("POST", JIT, Effect::status(403, "Resource not accessible")));
    let id = world.github.queue_job(job());
    world.record_when(id, JobState::Dead).await;

    let listed = json(&world, &["dead", "list", "--error", "not ACCESSIBLE"]).await;
    assert_eq!(listed[0]["id"], id);
    assert!(listed[0]["error"].as_str().unwrap().contains("403"), "{listed}");
    assert_eq!(json(&world, &["dead", "list", "--error", "something else"]).await, serde_json::json!([]));
    let number = id.to_string();
    assert_eq!(json(&world, &["dead", "replay", &number, "--dry-run"]).await, serde_json::json!([id]));
    assert_eq!(world.record(id).await.unwrap().state, JobState::Dead);

    assert_eq!(json(&world, &["dead", "replay", &number]).await, serde_json::json!([id]));
    let record = world.record_when(id, JobState::Done).await;
    assert_eq!((record.replays, record.attempts), (1, 0));
    assert!(record.first_error.unwrap().contains("403"));
    let (code, said) = world.command(&["dead", "replay", &number]).await;
    assert_eq!(code, Some(1), "it is none any more: {said}");
    assert!(said.contains(&number), "{said}");
    world.end().await;
}

#[tokio::test]
async fn a_dead_letter_that_is_dropped_is_gone_for_good() {
    let world = World::start(Options::default()).await;
    world.github.fault(Fault::once("POST", JIT, Effect::status(404, "Not Found")));
    let id = world.github.queue_job(job());
    world.record_when(id, JobState::Dead).await;

    let (code, said) = world.command(&["dead", "drop"]).await;
    assert_eq!(code, Some(2), "which ones must be said: {said}");
    assert_eq!(json(&world, &["dead", "drop", "--all"]).await, serde_json::json!([id]));
    assert_eq!(world.record(id).await.unwrap().state, JobState::Cancelled);
    world.end().await;
}

#[tokio::test]
async fn a_limit_of_zero_holds_a_pool_and_its_jobs_say_so() {
    let world = World::start(Options::default()).await;
    let limits = json(&world, &["limits", "set", "--max-runners", "0"]).await;
    assert_eq!((&limits[0]["max_runners"], &limits[0]["configured"]), (&0.into(), &5.into()));
    let id = world.github.queue_job(job());
    world.record_when(id, JobState::Pending).await;
    let record = json(&world, &["job", &id.to_string()]).await;
    assert!(record["reason"].as_str().unwrap().contains("0 of 0 runners"), "{record}");
    assert_eq!(json(&world, &["jobs", "--state", "pending"]).await[0]["id"], id);
    assert_eq!(json(&world, &["jobs", "--state", "running"]).await, serde_json::json!([]));

    json(&world, &["limits", "set", "--max-runners", "default"]).await;
    world.record_when(id, JobState::Done).await;
    let (code, said) = world.command(&["limits", "set", "--pool", "nowhere", "--max-runners", "1"]).await;
    assert_eq!(code, Some(1), "{said}");
    world.end().await;
}

#[tokio::test]
async fn a_job_whose_runner_took_another_that_never_came_gets_a_runner_of_its_own() {
    let world = World::start(Options::default()).await;
    // GitHub has a job whose webhook was lost; it is older, so the next runner gets it.
    let lost = world.github.add_job(job());
    let id = world.github.queue_job(job());
    for job in [lost, id] {
        world.github.wait_for_job(job, JobStatus::Completed, PATIENCE).await.unwrap();
    }
    let record = world.record_when(id, JobState::Done).await;
    assert!(record.events.iter().any(|event| event.what == "reopened"), "{record:?}");
    assert_eq!(record.runner.map(|runner| runner.to_string()), Some(format!("gha-{id}-2")));
    assert_eq!(world.record(lost).await.unwrap().state, JobState::Done);
    world.end().await;
}

#[tokio::test]
async fn why_a_job_is_where_it_is_is_said_in_one_command_also_of_one_that_never_came() {
    let world = World::without_worker(Options::default()).await;
    let id = world.github.queue_job(job());
    world.record_when(id, JobState::Pending).await;
    let explained = json(&world, &["explain", &id.to_string()]).await;
    assert_eq!((&explained["id"], &explained["state"]), (&id.into(), &"pending".into()));
    assert_eq!(explained["reason"], "no_worker", "{explained}");
    assert_eq!(explained["events"][0]["what"], "delivered", "{explained}");

    let lost = world.github.add_job(job());
    let page = format!("https://github.com/octocat/hello/actions/runs/1/job/{lost}");
    let (code, said) = world.command(&["explain", &page]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("At GitHub it is queued") && said.contains("pool default covers its labels"), "{said}");
    let explained = json(&world, &["explain", &lost.to_string()]).await;
    assert_eq!((&explained["state"], &explained["reason"]), (&Value::Null, &"unknown_job".into()));
    assert!(explained["text"].as_str().unwrap().contains("It is one of octocat/hello"), "{explained}");

    let mistyped =
        world.github.queue_job(JobSpec { labels: vec!["self-hosted".to_owned(), "linus".to_owned()], ..job() });
    world.record_when(mistyped, JobState::Unmatched).await;
    let explained = json(&world, &["explain", &mistyped.to_string()]).await;
    assert_eq!(explained["reason"], "no_matching_pool");
    assert!(explained["text"].as_str().unwrap().contains("the nearest, default, lacks linus"), "{explained}");
    let (code, said) = world.command(&["explain", "https://github.com/octocat/hello/actions/runs/1"]).await;
    assert_eq!(code, Some(2), "{said}");
}
