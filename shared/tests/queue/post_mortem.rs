//! What is written down of how a runner ended.

use shared::{
    model::JobState,
    queue::{Ending, JobRecord, PostMortem, Progress, Settlement},
};

use crate::support::{TestQueue, job};

fn end(runner: &str, lines: usize) -> PostMortem {
    PostMortem {
        runner: runner.parse().unwrap(),
        outcome: "it ended".to_owned(),
        exit_code: 137,
        oom: true,
        signal: Some(9),
        seconds: Some(7),
        image: Some("sha256:0".to_owned()),
        log: vec!["a line".to_owned(); lines],
    }
}

async fn record(test: &TestQueue) -> JobRecord {
    test.queue.job(job(1)).await.unwrap().unwrap()
}

/// The next runner of the job ends, and nobody hears of it but by its post-mortem.
async fn ends(test: &TestQueue, post_mortem: &PostMortem, failed: bool) -> shared::queue::Lease {
    let mut lease = test.reserve("a").await;
    let ending = Some(Ending { failed, post_mortem });
    let exited = (!failed).then_some("Succeeded");
    let progress = Progress { gone: failed, exited, post_mortem: ending, ..Progress::default() };
    test.queue.progress(&mut lease, progress).await.unwrap();
    lease
}

#[tokio::test]
async fn the_end_of_a_runner_is_on_the_record_though_its_worker_dies_before_it_settles_the_job() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let ended = end("gha-1-1", 200);
    drop(ends(&test, &ended, true).await);
    assert_eq!(record(&test).await.post_mortem.as_ref(), Some(&ended));

    test.run_out("1").await;
    assert_eq!(test.state(1).await, Some(JobState::Pending));
    assert_eq!(record(&test).await.post_mortem, Some(ended));
}

#[tokio::test]
async fn the_end_of_a_runner_that_failed_is_shown_though_a_later_one_succeeded() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let (failed, succeeded) = (end("gha-1-1", 3), end("gha-1-2", 0));
    let lease = ends(&test, &failed, true).await;
    let retry = Settlement::Release { delay: std::time::Duration::ZERO, reason: "it failed".to_owned() };
    test.queue.settle(lease, retry).await.unwrap();
    let lease = ends(&test, &succeeded, false).await;
    test.queue.settle(lease, Settlement::Done { detail: "Succeeded".to_owned() }).await.unwrap();
    assert_eq!(record(&test).await.post_mortem, Some(failed));
}

#[tokio::test]
async fn the_end_of_a_runner_is_shown_with_its_job_alone_and_is_in_its_json() {
    let test = TestQueue::new().await;
    test.enqueue(1).await;
    let ended = end("gha-1-1", 1);
    let lease = ends(&test, &ended, false).await;
    test.queue.settle(lease, Settlement::Done { detail: "Succeeded".to_owned() }).await.unwrap();

    let listed = test.queue.jobs(None, 10).await.unwrap();
    let json = serde_json::to_value(&listed).unwrap();
    assert!(json[0].get("post_mortem").is_none() && json[0]["state"] == "done", "{json}");
    let json = serde_json::to_value(record(&test).await).unwrap();
    assert_eq!(json["post_mortem"]["log"], serde_json::json!(["a line"]));
    for (field, value) in [("exit_code", 137), ("signal", 9), ("seconds", 7)] {
        assert_eq!(json["post_mortem"][field], value, "{field}");
    }
    assert_eq!(json["post_mortem"]["oom"], true);
    assert_eq!(listed[0].events, record(&test).await.events);
}
