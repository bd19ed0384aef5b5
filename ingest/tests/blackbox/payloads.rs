//! GitHub's published examples, as they are.

use std::path::PathBuf;

use serde_json::Value;
use shared::model::JobState;

use super::app::{App, Delivery};

/// Where the examples lie: beside the checkout.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/payloads");

fn example(name: &str) -> Vec<u8> {
    let path = PathBuf::from(EXAMPLES).join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("GitHub's published examples belong beside the checkout, at {}: {error}", path.display())
    })
}

#[tokio::test]
async fn githubs_published_examples_are_understood() {
    let app = App::start().await;
    let organization = "workflow_job.completed.success.with-organization.json";
    for name in ["workflow_job.queued.json", "workflow_job.in_progress.json", organization] {
        let answer = app.send(&Delivery::of_bytes(example(name))).await;
        // They are for GitHub's own runners, which no pool here stands for.
        assert_eq!(answer.outcome(), (200, "ignored".to_owned()), "{name}");
        assert!(answer.msg().contains("ubuntu-latest"), "{}", answer.msg());
    }
    assert_eq!(app.job(289_782_451).await.unwrap().state, JobState::Unmatched);
    app.stop().await;
}

#[tokio::test]
async fn a_published_example_for_a_self_hosted_runner_is_queued() {
    let app = App::start().await;
    let mut event: Value = serde_json::from_slice(&example("workflow_job.queued.json")).unwrap();
    event["workflow_job"]["labels"] = serde_json::json!(["self-hosted", "Linux", "X64"]);
    assert_eq!(app.deliver(&event).await.outcome(), (202, "queued".to_owned()));
    let record = app.job(289_782_451).await.unwrap();
    assert_eq!(record.repository.unwrap().as_str(), "Codertocat/Hello-World");
    app.stop().await;
}
