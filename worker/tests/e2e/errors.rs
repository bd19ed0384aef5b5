//! What goes wrong on the way, and what it leads to.

use std::time::Duration;

use devstack::github::{Effect, Fault, JobSpec};
use shared::model::JobState;

use crate::world::{Options, World};

const JIT: &str = "/repos/octocat/hello/actions/runners/generate-jitconfig";

fn job() -> JobSpec {
    JobSpec::of("octocat/hello".parse().unwrap())
}

async fn with_fault(effect: Effect, times: u32) -> (World, u64) {
    let world = World::start(Options::default()).await;
    world.github.fault(Fault::once("POST", JIT, effect).times(times));
    let id = world.github.queue_job(job());
    (world, id)
}

#[tokio::test]
async fn githubs_refusal_is_a_dead_letter_at_once_that_says_why() {
    for (status, message) in [
        (401, "Bad credentials"),
        (403, "Resource not accessible by personal access token"),
        (404, "Not Found"),
        (422, "Validation Failed"),
    ] {
        let (world, id) = with_fault(Effect::status(status, message), 1).await;
        let record = world.record_when(id, JobState::Dead).await;
        let error = record.error.unwrap();
        assert!(error.contains(message) && error.contains(&status.to_string()), "{error}");
        assert_eq!(record.attempts, 1);
        world.end().await;
    }
}

#[tokio::test]
async fn an_error_of_githubs_is_tried_again_and_after_the_last_attempt_the_record_says_why() {
    let (world, id) = with_fault(Effect::server_error(), 1).await;
    let record = world.record_when(id, JobState::Done).await;
    assert!(record.events.iter().any(|event| event.what == "retrying"), "{record:?}");
    assert_eq!(record.attempts, 1);
    world.end().await;

    let (world, id) = with_fault(Effect::server_error(), 2).await;
    let record = world.record_when(id, JobState::Dead).await;
    assert!(record.error.as_deref().unwrap().contains("(attempt 2 of 2)"), "{record:?}");
    world.end().await;
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_and_charges_no_attempt() {
    let (world, id) = with_fault(Effect::too_many_requests(Duration::from_secs(2)), 1).await;
    let other = world.github.queue_job(job());
    for id in [id, other] {
        let record = world.record_when(id, JobState::Done).await;
        assert_eq!(record.attempts, 0, "{record:?}");
    }
    let calls = world.github.count("POST", "/repos/{owner}/{repo}/actions/runners/generate-jitconfig");
    assert!(calls <= 4, "{calls} calls: the other job waited as well");
    world.end().await;
}

#[tokio::test]
async fn a_lost_answer_leaves_no_registration_behind() {
    let (world, id) = with_fault(Effect::Lost, 1).await;
    let record = world.record_when(id, JobState::Done).await;
    assert_eq!(record.attempts, 1);
    world.until("no registration is left", async || world.github.runners().is_empty()).await;
    world.end().await;
}

#[tokio::test]
async fn an_absent_image_that_is_not_to_be_pulled_is_a_dead_letter_that_names_it() {
    let world = World::start(Options { image: "no/such:image", ..Options::default() }).await;
    let id = world.github.queue_job(job());
    let record = world.record_when(id, JobState::Dead).await;
    assert!(record.error.as_deref().unwrap().contains("no/such:image"), "{record:?}");
    world.until("no registration is left", async || world.github.runners().is_empty()).await;
    world.end().await;
}
