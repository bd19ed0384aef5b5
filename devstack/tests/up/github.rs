//! Against GitHub, for which a stand-in of the test's own stands in.

use std::path::Path;

use devstack::{
    github::{Config, JobSpec, JobStatus, Permissions, StandIn, Webhook},
    harness::{Engine, RedisServer, free_port},
    runner::RunnerImage,
};
use tempfile::TempDir;

use crate::world::{Options, PATIENCE, Up};

const TOKEN: &str = "ghp_standInTokenOfATest";
const SECRET: &str = "a secret of at least sixteen bytes";
const IMAGE: &str = "stand-in-runner:up";

/// A folder with a `.env`.
fn folder(lines: &[String]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), lines.join("\n")).unwrap();
    folder
}

async fn started(folder: &Path) -> Up {
    Up::start(&[], Options { folder: Some(folder.to_owned()), ..Options::on_the_machines_engine().await })
}

/// A stand-in, and a folder with the settings against it, in which its webhook leads to ingest.
async fn github(more: Option<String>) -> (StandIn, TempDir) {
    let docker = Engine::from_env().await.unwrap().client().await.unwrap();
    RunnerImage::compile().await.unwrap().build(&docker, IMAGE).await.unwrap();
    // Numbers that no other test's jobs have: containers are found by them.
    let config = Config { first_job: fastrand::u64(1 << 40..1 << 50), ..Config::default() };
    let github = StandIn::start(config.token(TOKEN, Permissions::all())).unwrap();
    let local = || format!("127.0.0.1:{}", free_port().unwrap());
    let ingest = local();
    github.set_webhook(Webhook::json(format!("http://{ingest}/webhook"), SECRET));
    let mut lines = vec![
        format!("AUTOSCALER_GITHUB_URL={}", github.url()),
        "AUTOSCALER_GITHUB_PAT_FILE=token".to_owned(),
        format!("AUTOSCALER_SECRET_TOKEN=\"{SECRET}\""),
        "AUTOSCALER_POOLS=pools.toml".to_owned(),
        format!("INGEST_BIND={ingest}"),
        format!("INGEST_ADMIN_BIND={}", local()),
        format!("WORKER_ADMIN_BIND={}", local()),
    ];
    lines.extend(more);
    let folder = folder(&lines);
    let pools = format!(
        "[[pool]]\nname = \"default\"\nlabels = [\"self-hosted\", \"linux\"]\nimage = {IMAGE:?}\n\
         [pool.docker]\nnetwork = \"host\"\npull = \"never\"\n"
    );
    std::fs::write(folder.path().join("pools.toml"), pools).unwrap();
    std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    (github, folder)
}

#[tokio::test]
async fn with_credentials_a_job_of_github_gets_its_runner_and_ctrl_c_takes_all_back() {
    let (github, folder) = github(None).await;
    let mut up = started(folder.path()).await;
    up.says("Payload URL").await;
    up.says("runs-on: [self-hosted, linux]").await;
    up.says("Ctrl-C ends it all").await;
    let done = github.queue_job(JobSpec::of("octocat/hello".parse().unwrap()));
    github.wait_for_job(done, JobStatus::Completed, PATIENCE).await.unwrap();
    up.says("The job's lease ended").await;

    let script = "sleep 600".to_owned();
    let cut = github.queue_job(JobSpec { script, ..JobSpec::of("octocat/hello".parse().unwrap()) });
    github.wait_for_job(cut, JobStatus::InProgress, PATIENCE).await.unwrap();
    // A runner that gets no job does not remove its registration: its job is cancelled, and no webhook tells of it.
    let taken = github.queue_job(JobSpec::of("octocat/hello".parse().unwrap()));
    github
        .wait_for("it is delivered", PATIENCE, || github.deliveries().iter().find(|sent| sent.job == taken).map(drop))
        .await
        .unwrap();
    github.set_webhook(None);
    github.cancel_job(taken);
    github
        .wait_for("a runner without a job", PATIENCE, || {
            github.runners().iter().find(|runner| runner.listening).map(drop)
        })
        .await
        .unwrap();
    up.look();
    up.press_ctrl_c();
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ingest | ") && said.contains("worker | "), "{said}");
    assert!(!said.contains(TOKEN) && !said.contains(SECRET), "{said}");
    assert!(github.runners().is_empty(), "{:?}", github.runners());
}

#[tokio::test]
async fn a_queue_that_the_settings_name_is_used_and_stays() {
    let redis = RedisServer::start().await.unwrap();
    let (github, folder) = github(Some(format!("QUEUE_URL={}", redis.url()))).await;
    let mut up = started(folder.path()).await;
    up.says("Ctrl-C ends it all").await;
    let job = github.queue_job(JobSpec::of("octocat/hello".parse().unwrap()));
    github.wait_for_job(job, JobStatus::Completed, PATIENCE).await.unwrap();
    up.look();
    up.press_ctrl_c();
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("a file of its own"), "{said}");
    assert_ne!(redis.command("DBSIZE").unwrap(), ":0");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named_before_anything_is_started() {
    for (lines, variable) in [
        (vec![format!("AUTOSCALER_GITHUB_PAT={TOKEN}")], "AUTOSCALER_SECRET_TOKEN: is required"),
        (vec!["AUTOSCALER_GITHUB_PAT_FILE=/no/such/file".to_owned()], "AUTOSCALER_GITHUB_PAT_FILE: cannot read"),
        (vec![format!("AUTOSCALER_GITHUB_TOKEN={TOKEN}")], "AUTOSCALER_GITHUB_TOKEN: there is no such setting"),
    ] {
        let folder = folder(&lines);
        let (code, said) = started(folder.path()).await.ends().await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(variable), "{said}");
        assert!(!said.contains(TOKEN) && !said.contains("Building") && !said.contains("Nothing is left"), "{said}");
    }
}
