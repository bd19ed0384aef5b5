//! One job, from its webhook to a removed runner.

use devstack::github::{Conclusion, HookTarget, JobSpec, JobStatus};
use shared::model::{JobState, RunnerName};

use crate::world::{Options, PATIENCE, SECRET, TOKEN, World};

/// GitHub's own published example; CI has it beside the checkout.
const QUEUED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/payloads/workflow_job.queued.json");

#[tokio::test]
async fn a_published_webhook_becomes_a_runner_that_takes_the_job_and_is_gone() {
    let world = World::start(Options::default()).await;
    let payload = std::fs::read(QUEUED).unwrap_or_else(|error| panic!("{QUEUED} is needed for this test: {error}"));
    let id = world.github.add_job_from_payload(&payload, "sleep 2").unwrap();

    assert_eq!(world.deliver(&payload, HookTarget::Integration).await, 202);
    world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
    let containers = world.containers().await;
    assert_eq!(containers.len(), 1);
    let inspected = world.docker.inspect_container(containers[0].id.as_deref().unwrap(), None).await.unwrap();
    let labels = inspected.config.as_ref().unwrap().labels.clone().unwrap();
    for (label, value) in [
        ("autoscaler.job", id.to_string().as_str()),
        ("autoscaler.pool", "default"),
        ("autoscaler.worker", &world.name),
        ("autoscaler.scope", "Codertocat/Hello-World"),
    ] {
        assert_eq!(labels.get(label).map(String::as_str), Some(value), "{label}");
    }
    assert_eq!(inspected.name.as_deref(), Some(format!("/gha-{id}-1").as_str()));
    let text = serde_json::to_string(&inspected).unwrap();
    for secret in [SECRET, TOKEN, "jitconfig", "JITCONFIG", "rsaparams"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }

    let job = world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    assert_eq!(job.conclusion, Some(Conclusion::Success));
    let record = world.record_when(id, JobState::Done).await;
    assert_eq!(world.github.runners().len(), 0, "the registration is gone");
    let story: Vec<&str> =
        record.events.iter().map(|event| event.what.as_str()).filter(|what| *what != "noted").collect();
    assert_eq!(
        story,
        [
            "delivered",
            "reserved",
            "registered",
            "created",
            "started",
            "listening",
            "running",
            "exited",
            "removed",
            "done"
        ]
    );
    assert!(record.reason.contains("Succeeded"), "{}", record.reason);
    assert_eq!(record.runner.as_ref().map(RunnerName::as_str), Some(format!("gha-{id}-1").as_str()));
    world.end().await;
}

/// A job that GitHub queues and announces itself.
async fn runs(options: Options, spec: JobSpec, scope: &str) {
    let world = World::start(options).await;
    let id = world.github.queue_job(spec);
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    let record = world.record_when(id, JobState::Done).await;
    assert_eq!(record.scope.map(|scope| scope.to_string()).as_deref(), Some(scope));
    world.until("the registration is gone", async || world.github.runners().is_empty()).await;
    world.end().await;
}

#[tokio::test]
async fn a_job_of_a_user_owned_repository_registers_at_the_repository() {
    runs(Options::default(), JobSpec::of("octocat/hello".parse().unwrap()), "octocat/hello").await;
}

#[tokio::test]
async fn a_job_of_an_organization_registers_at_the_organization() {
    let spec = JobSpec { organization: Some("octo-org".to_owned()), ..JobSpec::of("octo-org/repo".parse().unwrap()) };
    runs(Options::default(), spec, "octo-org").await;
}

#[tokio::test]
async fn a_job_runs_with_a_registration_token_as_well() {
    let options = Options { registration: "token", ..Options::default() };
    runs(options, JobSpec::of("octocat/hello".parse().unwrap()), "octocat/hello").await;
}

#[tokio::test]
async fn a_job_that_fails_is_done_all_the_same() {
    let world = World::start(Options::default()).await;
    let spec = JobSpec { script: "exit 3".to_owned(), ..JobSpec::of("octocat/hello".parse().unwrap()) };
    let id = world.github.queue_job(spec);
    let record = world.record_when(id, JobState::Done).await;
    assert!(record.reason.contains("Failed"), "{}", record.reason);
    world.end().await;
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_it_waits_gets_no_runner() {
    let mut world = World::without_worker(Options::default()).await;
    let id = world.github.queue_job(JobSpec::of("octocat/hello".parse().unwrap()));
    world.record_when(id, JobState::Pending).await;
    assert!(world.github.cancel_job(id));
    world.record_when(id, JobState::Cancelled).await;

    world.start_worker().await;
    let other = world.github.queue_job(JobSpec::of("octocat/hello".parse().unwrap()));
    world.record_when(other, JobState::Done).await;
    assert_eq!(world.github.count("POST", "/repos/{owner}/{repo}/actions/runners/generate-jitconfig"), 1);
    world.end().await;
}

#[tokio::test]
async fn the_commands_show_the_state_and_make_tokens() {
    let world = World::start(Options::default()).await;
    let (code, said) = world.command(&["status", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let line = said.lines().find(|line| line.starts_with('{')).unwrap();
    let status: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(status["pools"][0]["name"], "default");
    assert_eq!(status["pools"][0]["limit"], 5);
    assert_eq!(status["workers"][0]["name"], world.name.as_str());

    let (code, said) = world.command(&["token", "--repo", "octocat/hello", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("expires_at"), "{said}");
    let (code, _) = world.command(&["token"]).await;
    assert_eq!(code, Some(2), "a target is required");

    let id = world.github.add_job(JobSpec::of("octocat/hello".parse().unwrap()));
    let (code, said) = world.command(&["start", "--repo", "octocat/hello"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Succeeded"), "{said}");
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    assert_eq!(world.github.runners().len(), 0);
    world.end().await;
}
