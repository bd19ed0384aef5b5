//! Whether a runner works on a job is what it prints, whatever GitHub and Docker say.

use std::{collections::BTreeMap, fs, time::Duration};

use devstack::github::{Conclusion, Effect, Fault, JobStatus};
use serde_json::{Value, json};
use shared::{model::JobState, queue::JobRecord};
use tokio::time::sleep;

use crate::{
    counts::Counts,
    spec::{Options, job},
    world::{PATIENCE, TOKEN, World, turn},
};

const JIT: &str = "/repos/{owner}/{repo}/actions/runners/generate-jitconfig";
const RUNNER: &str = "/repos/{owner}/{repo}/actions/runners/{runner_id}";
const STOP: &str = "/containers/{id}/stop";

/// The id of the first job.
const FIRST: u64 = 41_000_000_001;

/// Longer than a worker waits before it stops a runner whose registration is deleted.
const LAST_WORD: Duration = Duration::from_secs(4);

/// GitHub deletes the registration of a runner, it says.
fn deleted() -> Effect {
    Effect::Answer { status: 204, body: Value::Null, headers: BTreeMap::new() }
}

fn on_delete(effect: Effect) -> Fault {
    Fault::once("DELETE", "/repos/*/actions/runners/*", effect)
}

fn notes(record: &JobRecord, text: &str) -> bool {
    record.events.iter().any(|event| event.detail.contains(text))
}

/// Cancels a job in the queue alone: GitHub knows nothing of it.
async fn cancel(world: &World, id: u64) {
    world.queue.cancel(&"default".parse().unwrap(), id.to_string().parse().unwrap(), None, "enough").await.unwrap();
}

/// Waits until something has happened to a job.
async fn happened(world: &World, id: u64, what: &str) {
    let has = |record: JobRecord| record.events.iter().any(|event| event.what == what);
    world.until(what, async || world.record(id).await.is_some_and(has)).await;
}

/// A world with a runner that waits, for its job was cancelled at GitHub, of which the queue has not heard.
async fn with_idle_runner() -> (World, u64) {
    let world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.docker.fault(Fault::once("POST", "/containers/*/start", Effect::Delay(2000)));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("its runner starts", async || world.docker.faults_left() == 0).await;
    world.github.set_webhook(None);
    assert!(world.github.cancel_job(id));
    happened(&world, id, "listening").await;
    (world, id)
}

/// Waits until the runner has run another job to its end.
async fn runs_another(world: &World, other: u64) {
    let other = world.github.wait_for_job(other, JobStatus::Completed, PATIENCE).await.unwrap();
    assert_eq!(other.conclusion, Some(Conclusion::Success), "{}", world.story());
    world.until("all is at rest", async || world.docker.containers().is_empty() && world.open() == Some(0)).await;
    assert_eq!(world.docker.count("POST", STOP), 0, "it was not stopped");
}

/// A worker that has just adopted the runner does not have its output yet.
#[tokio::test]
async fn a_runner_that_works_is_not_called_idle_though_github_would_delete_it() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    let files = tempfile::tempdir().unwrap();
    let end = files.path().join("end");
    let id = world.github.queue_job(job(
        "octocat/one",
        "default",
        &format!("until [ -e {} ]; do sleep 0.1; done", end.display()),
    ));
    happened(&world, id, "running").await;
    world.workers[0].kill();
    world.github.fault(on_delete(deleted()).times(100));
    world.docker.fault(Fault::once("GET", "/containers/*/logs", Effect::Delay(5000)));
    cancel(&world, id).await;
    world.workers[0].start();
    world.workers[0].process().wait_for_line("The job was cancelled", PATIENCE).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    fs::write(end, "").unwrap();
    let done = world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    assert_eq!(done.conclusion, Some(Conclusion::Success), "{}", world.story());
    world.rest(PATIENCE).await;
    assert_eq!((world.github.count("DELETE", RUNNER), world.docker.count("POST", STOP)), (0, 0));
    Counts::of(&world).hold("a runner that works");
}

#[tokio::test]
async fn an_idle_runner_that_github_calls_busy_is_left() {
    let _turn = turn().await;
    let (world, id) = with_idle_runner().await;
    world.github.fault(on_delete(Effect::status(422, "Runner is currently running a job and cannot be deleted.")));
    cancel(&world, id).await;
    world.until("it is to be retired", async || world.github.faults_left() == 0).await;
    sleep(LAST_WORD).await;
    let other = world.github.add_job(job("octocat/one", "default", "true"));
    runs_another(&world, other).await;
}

/// It takes a job after it was last looked at, and before its registration is deleted.
#[tokio::test]
async fn a_runner_that_takes_a_job_while_it_is_retired_is_not_stopped() {
    let _turn = turn().await;
    let (world, id) = with_idle_runner().await;
    world.docker.fault(Fault::once("GET", "/containers/*/logs", Effect::Late(2000)));
    world.github.fault(on_delete(deleted()));
    cancel(&world, id).await;
    world.until("it is looked at", async || world.docker.faults_left() == 0).await;
    let other = world.github.add_job(job("octocat/one", "default", "sleep 6"));
    world.github.wait_for_job(other, JobStatus::InProgress, PATIENCE).await.unwrap();
    world.until("its registration is deleted", async || world.github.faults_left() == 0).await;
    runs_another(&world, other).await;
}

#[tokio::test]
async fn a_surplus_runner_loses_its_registration_before_it_is_stopped() {
    let _turn = turn().await;
    let (mut world, id) = with_idle_runner().await;
    world.github.fault(on_delete(Effect::Delay(1500)));
    cancel(&world, id).await;
    world.until("it is to be retired", async || world.github.faults_left() == 0).await;
    sleep(Duration::from_millis(700)).await;
    assert_eq!(world.docker.count("POST", STOP), 0, "its registration comes first");
    world.rest(PATIENCE).await;
    assert!(world.github.runners().is_empty());
    assert_eq!(world.record(id).await.unwrap().state, JobState::Cancelled);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_repeated() {
    let _turn = turn().await;
    let (mut world, id) = with_idle_runner().await;
    world.github.fault(on_delete(Effect::Lost));
    cancel(&world, id).await;
    world.rest(PATIENCE).await;
    let record = world.record(id).await.unwrap();
    assert!(notes(&record, "its registration is deleted"), "{record:#?}");
    assert!(world.github.count("DELETE", RUNNER) >= 2, "{}", world.story());
    assert!(world.github.runners().is_empty());
}

/// The name that its second attempt would have is taken, as after an answer that was lost.
#[tokio::test]
async fn a_name_that_is_taken_is_freed_and_another_one_used() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    let taken = json!({ "name": format!("gha-{FIRST}-2"), "runner_group_id": 1, "labels": ["self-hosted"] });
    let url = format!("{}/api/v3/repos/octocat/one/actions/runners/generate-jitconfig", world.github.url());
    let asked = world.http.post(url).bearer_auth(TOKEN).header("user-agent", "faults");
    let asked = asked.header("content-type", "application/json");
    assert_eq!(asked.body(taken.to_string()).send().await.unwrap().status(), 201);
    world.github.fault(Fault::once("POST", "/repos/*/generate-jitconfig", Effect::Lost));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    assert_eq!(id, FIRST);
    world.rest(PATIENCE).await;
    let record = world.record(id).await.unwrap();
    assert_eq!(record.runner.map(|runner| runner.to_string()), Some(format!("gha-{id}-3")));
    assert_eq!((record.state, record.attempts), (JobState::Done, 2));
    world.until("no registration is left", async || world.github.runners().is_empty()).await;
    Counts::of(&world).hold("a name that is taken");
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_stopped_and_its_record_says_so() {
    let _turn = turn().await;
    let mut world = World::still(Options { workers: 1, ..Options::default() }).await;
    let pools = world.options.pools_toml().replace("max_runners", "timeout_seconds = 2\nmax_runners");
    world.write_pools(&pools);
    world.workers[0].start();
    let id = world.github.queue_job(job("octocat/one", "default", "sleep 300"));
    world.rest(PATIENCE).await;
    assert_eq!(world.github.job(id).unwrap().conclusion, Some(Conclusion::Cancelled));
    let record = world.record(id).await.unwrap();
    assert_eq!(record.state, JobState::Done);
    assert!(notes(&record, "longer than the pool's timeout_seconds"), "{record:#?}");
}

/// The engine has started it, and does not say so.
#[tokio::test]
async fn a_runner_whose_start_was_not_answered_is_left_to_work() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    world.docker.fault(Fault::once("POST", "/containers/*/start", Effect::Lost));
    let id = world.github.queue_job(job("octocat/one", "default", "sleep 2"));
    world.rest(PATIENCE).await;
    assert_eq!(world.github.job(id).unwrap().conclusion, Some(Conclusion::Success));
    assert_eq!((world.github.count("POST", JIT), world.record(id).await.unwrap().attempts), (1, 0));
    Counts::of(&world).hold("a start without an answer");
}
