//! The client of GitHub's API against the stand-in: what became of deliveries, and how they are made again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use devstack::{
    deliver::HOOK_ID,
    github::{ClassicScope, Config, FineGrained, JobSpec, Permissions, StandIn, Webhook},
    harness::free_port,
};
use shared::{
    github::{Github, GithubConfig, Hook, JobStatus, RunStatus},
    settings::Environment,
};

const TOKEN: &str = "ghp_hush";
const PATIENCE: Duration = Duration::from_secs(30);

/// A stand-in whose webhooks reach nobody.
fn stand_in(permissions: Permissions) -> (StandIn, Github) {
    let nobody = format!("http://127.0.0.1:{}/webhook", free_port().unwrap());
    let webhook = Some(Webhook::json(nobody, "a secret of at least sixteen bytes"));
    let stand_in = StandIn::start(Config { webhook, ..Config::default() }.token(TOKEN, permissions)).unwrap();
    let mut environment =
        Environment::of([("AUTOSCALER_GITHUB_PAT", TOKEN), ("AUTOSCALER_GITHUB_URL", stand_in.url())]);
    let github = Github::new(&GithubConfig::load(&mut environment)).unwrap();
    (stand_in, github)
}

fn of_repository() -> Hook {
    Hook::Repository("octo/repo".parse().unwrap(), HOOK_ID)
}

fn of_organization() -> Hook {
    Hook::Organization("octo".to_owned(), HOOK_ID)
}

#[tokio::test]
async fn failed_deliveries_are_listed_page_by_page_and_made_again() {
    const JOBS: usize = 105;
    let (stand_in, github) = stand_in(Permissions::all());
    for _ in 0..JOBS {
        stand_in.queue_job(JobSpec::of("octo/repo".parse().unwrap()));
    }
    stand_in.queue_job(JobSpec::of("octo/other".parse().unwrap()));
    let all = || (stand_in.deliveries().len() > JOBS).then_some(());
    stand_in.wait_for("all have failed", PATIENCE, all).await.unwrap();

    let (first, next) = github.deliveries(&of_repository(), None).await.unwrap();
    let (second, end) = github.deliveries(&of_repository(), next.as_deref()).await.unwrap();
    assert_eq!((first.len(), second.len(), end), (100, JOBS - 100, None));
    let ids: Vec<u64> = first.iter().chain(&second).map(|attempt| attempt.id).collect();
    assert!(ids.is_sorted_by(|one, other| one > other), "the youngest is in front: {ids:?}");
    let attempt = &second[0];
    assert!(!attempt.succeeded() && attempt.event == "workflow_job" && attempt.action.as_deref() == Some("queued"));

    github.redeliver(&of_repository(), attempt.id).await.unwrap();
    let again = || stand_in.deliveries().into_iter().find(|it| it.redelivery);
    let again = stand_in.wait_for("it is made again", PATIENCE, again).await.unwrap();
    assert_eq!(again.guid, attempt.guid.as_str());
    let (page, _) = github.deliveries(&of_repository(), None).await.unwrap();
    assert_eq!((page[0].id, &page[0].guid), (again.id, &attempt.guid));
    github.redeliver(&of_repository(), 1).await.expect_err("there is no such attempt");
    github.deliveries(&Hook::App, None).await.expect_err("no App asks");
}

#[tokio::test]
async fn what_a_token_lacks_for_deliveries_is_named() {
    for (permissions, hook, named) in [
        (Permissions::classic([ClassicScope::Repo]), of_organization(), "admin:org_hook"),
        (Permissions::classic([ClassicScope::AdminOrg]), of_repository(), "admin:repo_hook"),
        (Permissions::fine_grained([FineGrained::Administration]), of_repository(), "repository_hooks=write"),
        (Permissions::fine_grained([FineGrained::SelfHostedRunners]), of_organization(), "organization_hooks=write"),
    ] {
        let (_stand_in, github) = stand_in(permissions);
        let error = github.deliveries(&hook, None).await.expect_err("it may not").to_string();
        assert!(error.contains(named), "{error}");
    }
    for hook in [of_repository(), of_organization()] {
        let (_stand_in, github) = stand_in(Permissions::all());
        github.deliveries(&hook, None).await.unwrap();
    }
}

#[tokio::test]
async fn runs_and_their_jobs_are_listed_page_by_page() {
    let (stand_in, github) = stand_in(Permissions::all());
    let repository = "octo/repo".parse().unwrap();
    let job = || JobSpec::of("octo/repo".parse().unwrap());
    for _ in 0..101 {
        stand_in.add_job(job());
    }
    let first = github.runs(&repository, RunStatus::Queued, 1).await.unwrap();
    let second = github.runs(&repository, RunStatus::Queued, 2).await.unwrap();
    assert_eq!((first.items.len(), first.more, second.items.len(), second.more), (100, true, 1, false));
    assert!(github.runs(&repository, RunStatus::InProgress, 1).await.unwrap().items.is_empty());

    let id = stand_in.add_job(JobSpec { run_id: Some(7), ..job() });
    let jobs = github.run_jobs(&repository, 7, 1).await.unwrap();
    let [job] = &jobs.items[..] else { panic!("{jobs:?}") };
    assert_eq!((job.id.get(), job.status, job.run_id, jobs.more), (id, JobStatus::Queued, 7, false));
    assert_eq!((job.labels.join(",").as_str(), job.name.as_str()), ("self-hosted,linux", "build"));
}
