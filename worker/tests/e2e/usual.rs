//! Settings that name no queue.

use std::os::unix::fs::PermissionsExt as _;

use devstack::github::{JobSpec, JobStatus};
use serde_json::Value;
use shared::model::JobState;

use crate::world::{Options, PATIENCE, World};

#[tokio::test]
async fn without_a_queue_in_the_settings_a_job_comes_to_its_runner_by_a_file_in_the_users_home() {
    let world = World::start(Options { queue: false, ..Options::default() }).await;
    let id = world.github.queue_job(JobSpec::of("octocat/hello".parse().unwrap()));
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    world.record_when(id, JobState::Done).await;

    let (code, said) = world.command(&["jobs", "--json"]).await;
    let jobs: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, jobs[0]["id"].to_string().trim_matches('"')), (Some(0), id.to_string().as_str()), "{said}");
    let file = world.usual_file();
    for (path, mode) in [(file.parent().unwrap(), 0o700), (&file, 0o600)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    world.end().await;
}
