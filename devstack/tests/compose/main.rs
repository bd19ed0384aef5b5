//! `compose.yaml` brings the whole stack up under docker-compose 1.29, on an engine that reaches no registry: its
//! images are those that `devstack/base-images` makes. Only GitHub and its runner have stand-ins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod containers;
mod settings;
mod stack;

use devstack::github::{Conclusion, JobSpec, JobStatus};
use serde_json::Value;
use shared::model::{JobId, JobState};

use crate::stack::{PATIENCE, Stack};

/// What `docker inspect` shows, as JSON.
pub(crate) type Inspected = Value;

#[tokio::test]
async fn the_whole_stack_comes_up_runs_a_job_and_leaves_nothing() {
    let stack = Stack::up().await;

    let said = stack.compose(&["logs", "--no-color"]).await.join("\n");
    for line in ["Waiting for deliveries", "The worker is up"] {
        assert!(said.contains(line), "{line} is not among the logs:\n{said}");
    }
    let status = stack.json(&["exec", "-T", "worker", "worker", "status", "--json"]).await;
    let workers: Vec<&str> =
        status["workers"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    let mut names = stack.names_of("worker").await;
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| workers.contains(&name.as_str())), "{names:?} are not in {workers:?}");
    let durable = stack.compose(&["exec", "-T", "redis", "redis-cli", "config", "get", "append*"]).await;
    assert!(durable.join(" ").contains("appendfsync always"), "{durable:?}");
    assert!(durable.join(" ").contains("appendonly yes"), "{durable:?}");
    containers::are_hardened(&stack.services().await);
    containers::publish_only_ingest(&stack.services().await);
    containers::have_only_their_own_secrets(&stack.services().await);
    stack.queue_is_cut_off_from_the_world().await;
    let metrics = devstack::deliver::client().unwrap().get(format!("http://127.0.0.1:{}/metrics", stack.admin_port));
    assert_eq!(metrics.try_clone().unwrap().send().await.unwrap().status(), 401);
    assert_eq!(metrics.bearer_auth(stack::ADMIN_TOKEN).send().await.unwrap().status(), 200);

    let job = JobSpec { script: "sleep 2".to_owned(), ..JobSpec::of("octocat/hello".parse().unwrap()) };
    let id = stack.github.queue_job(job);
    stack.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap_or_else(|late| panic!("{late}"));
    let running = stack.containers().await;
    assert_eq!(running.len(), 5, "redis, ingest, two workers and a runner");
    containers::show_no_secret(&running);
    let ended = stack.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    assert_eq!(ended.conclusion, Some(Conclusion::Success));
    let answers: Vec<Option<u16>> = stack.github.deliveries().iter().map(|delivery| delivery.status).collect();
    assert!(answers.iter().all(|status| *status == Some(202)), "{answers:?}");

    let id: JobId = id.to_string().parse().unwrap();
    let queue = stack.queue().await;
    stack
        .until("the job is done, and its runner gone", async || {
            let record = queue.job(id).await.unwrap();
            record.is_some_and(|record| record.state == JobState::Done) && stack.containers().await.len() == 4
        })
        .await;
    let record = serde_json::to_value(queue.job(id).await.unwrap().unwrap()).unwrap();
    assert!(record["worker"].as_str().is_some_and(|worker| names.iter().any(|name| name == worker)), "{record}");
    stack.until("all are healthy still", async || stack.are_healthy().await).await;

    stack.down().await;
}
