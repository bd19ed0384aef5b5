//! Which runners there are.

use shared::{
    model::{JobState, RunnerName, WorkerName},
    queue::{Progress, What},
};

use crate::{
    crossover::{others, serve, started},
    support::{TestQueue, job},
};

#[tokio::test]
async fn every_slot_says_whose_it_is_and_what_its_runner_is_at() {
    let test = TestQueue::new().await;
    assert_eq!(test.queue.runners().await.unwrap(), []);
    test.enqueue(2).await;
    let mut second = started(&test, "a").await;
    let name: RunnerName = "gha-2-1".parse().unwrap();
    second.happened(What::Running, "build");
    let progress = Progress { started: true, runner: Some(&name), ..Progress::default() };
    test.queue.progress(&mut second, progress).await.unwrap();
    test.enqueue(3).await;
    let _third = test.reserve("b").await;
    test.enqueue(1).await;
    serve(&test, 1, others(2), false).await;

    let runners = test.queue.runners().await.unwrap();
    let what = |at: usize| {
        let runner = &runners[at];
        let name = runner.name.as_ref().map(RunnerName::as_str);
        (name, runner.worker.as_ref().map(WorkerName::as_str), runner.state, runner.busy, runner.job)
    };
    assert_eq!(runners.len(), 2);
    let starting = runners.iter().position(|runner| runner.state == JobState::Starting).unwrap();
    assert_eq!(what(starting), (None, Some("b"), JobState::Starting, false, Some(job(3))));
    assert_eq!(what(1 - starting), (Some("gha-2-1"), Some("a"), JobState::Running, true, Some(job(1))));
    assert!(runners.iter().all(|runner| runner.scope == Some("octo/repo".parse().unwrap())));
}
