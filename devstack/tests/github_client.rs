//! The client of GitHub's API against the stand-in for GitHub: what each call brings, and what each refusal leads to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use devstack::github::{ClassicScope, Config, Effect, Fault, FineGrained, JobSpec, Permissions, StandIn};
use secrecy::ExposeSecret as _;
use shared::{
    github::{Deleted, Github, GithubConfig, GithubError, JitRequest, JobStatus, Kind, Loss, RunnerStatus, Timeouts},
    model::{JobId, Labels, RunnerId, RunnerName, Scope},
    settings::Environment,
    telemetry::chain,
};
use tokio::time::timeout;

const TOKEN: &str = "ghp_hush";
/// Every kind of place where a runner registers.
const SCOPES: [&str; 3] = ["octo/repo", "octo", "enterprises/octo"];

/// A stand-in at which [`TOKEN`] may do this, and a client of it.
fn stand_in(permissions: Permissions) -> (StandIn, Github) {
    let stand_in = StandIn::start(Config::default().token(TOKEN, permissions)).unwrap();
    let github = client(&stand_in, TOKEN, Duration::from_secs(10));
    (stand_in, github)
}

fn client(stand_in: &StandIn, token: &str, call: Duration) -> Github {
    let mut environment =
        Environment::of([("AUTOSCALER_GITHUB_PAT", token), ("AUTOSCALER_GITHUB_URL", stand_in.url())]);
    let config = GithubConfig::load(&mut environment);
    environment.finish().unwrap();
    Github::with_timeouts(&config, Timeouts { connect: Duration::from_secs(2), call }).unwrap()
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn name(text: &str) -> RunnerName {
    text.parse().unwrap()
}

/// Asks for a runner of this name and group.
async fn register(github: &Github, at: &str, runner: &str, group: &str) -> Result<RunnerId, GithubError> {
    let labels: Labels = "self-hosted,linux,x64".parse().unwrap();
    let request = JitRequest { name: &name(runner), group, labels: &labels };
    let registered = github.jit_config(&scope(at), &request).await?;
    assert_eq!(registered.name.as_str(), runner);
    assert!(!registered.encoded_jit_config.expose_secret().is_empty());
    Ok(registered.id)
}

/// The error of the next registration token at `octo`, which `effect` befalls.
async fn befallen(effect: Effect) -> GithubError {
    let (stand_in, github) = stand_in(Permissions::all());
    stand_in.fault(Fault::once("POST", "/orgs/octo/actions/runners/registration-token", effect));
    let error = github.registration_token(&scope("octo")).await.expect_err("the fault has no effect");
    assert_eq!(stand_in.faults_left(), 0, "the fault befell no call");
    said(&error);
    github.registration_token(&scope("octo")).await.expect("the call after a fault succeeds");
    error
}

/// An error may go to logs and records with all its causes, and never shows the token.
fn said(error: &GithubError) -> String {
    let text = chain(error);
    assert!(!format!("{text} {error:?}").contains("hush"), "{text}");
    text
}

#[tokio::test]
async fn a_runner_registers_at_a_repository_an_organization_and_an_enterprise() {
    let (stand_in, github) = stand_in(Permissions::all());
    for at in SCOPES {
        let token = github.registration_token(&scope(at)).await.unwrap();
        assert!(!format!("{token:?}").contains(token.token.expose_secret()));
        let minutes = (token.expires_at.unix_timestamp() - seconds_now()) / 60;
        assert!((58..=60).contains(&minutes), "a token of {at} expires in {minutes} min");

        let id = register(&github, at, "gha-1-1", "Default").await.unwrap();
        let found = github.find_runner(&scope(at), &name("gha-1-1")).await.unwrap().unwrap();
        assert_eq!((found.id, found.status, found.busy), (id, RunnerStatus::Offline, false));
        assert_eq!(github.find_runner(&scope(at), &name("gha-1-2")).await.unwrap(), None);
        assert_eq!(github.list_runners(&scope(at)).await.unwrap(), [found]);

        let at_github = stand_in.runners().into_iter().find(|runner| runner.id == id.0).unwrap();
        assert_eq!(at_github.scope, scope(at));
        assert_eq!(at_github.labels, ["self-hosted", "linux", "x64"]);

        assert_eq!(github.delete_runner(&scope(at), id).await.unwrap(), Deleted::Deleted);
        assert_eq!(github.delete_runner(&scope(at), id).await.unwrap(), Deleted::Gone);
        assert_eq!(github.find_runner(&scope(at), &name("gha-1-1")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn all_runners_are_listed_however_many_pages_they_fill() {
    let (stand_in, github) = stand_in(Permissions::all());
    for number in 1..=201 {
        register(&github, "octo", &format!("gha-{number}-1"), "Default").await.unwrap();
    }
    let mut names: Vec<String> =
        github.list_runners(&scope("octo")).await.unwrap().into_iter().map(|runner| runner.name.into()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 201);
    assert_eq!(stand_in.count("GET", "/orgs/{org}/actions/runners"), 3);

    let last = github.find_runner(&scope("octo"), &name("gha-201-1")).await.unwrap().unwrap();
    assert_eq!(last.name.as_str(), "gha-201-1");
    assert_eq!(stand_in.count("GET", "/orgs/{org}/actions/runners"), 4, "one runner is found by one call");
}

#[tokio::test]
async fn a_job_is_read_as_it_stands() {
    let (stand_in, github) = stand_in(Permissions::all());
    let repository = "octo/repo".parse().unwrap();
    let id: JobId = stand_in.add_job(JobSpec::of("octo/repo".parse().unwrap())).to_string().parse().unwrap();

    let job = github.job(&repository, id).await.unwrap();
    assert_eq!((job.id, job.status, job.conclusion, job.runner_name), (id, JobStatus::Queued, None, None));

    assert!(stand_in.cancel_job(id.get()));
    let job = github.job(&repository, id).await.unwrap();
    assert_eq!((job.status, job.conclusion.as_deref()), (JobStatus::Completed, Some("cancelled")));

    let error = github.job(&repository, "999".parse().unwrap()).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(404), Kind::Permanent));
}

#[tokio::test]
async fn a_group_is_found_by_its_name_in_any_case_and_asked_for_once() {
    const GROUPS: &str = "/orgs/{org}/actions/runner-groups";
    let (stand_in, github) = stand_in(Permissions::all());
    for number in 1..=100 {
        stand_in.add_group(&scope("octo"), &format!("group {number}"), None);
    }
    stand_in.add_group(&scope("octo"), "GPU", None);

    for runner in ["gha-1-1", "gha-2-1"] {
        let id = register(&github, "octo", runner, "gpu").await.unwrap();
        let at_github = stand_in.runners().into_iter().find(|runner| runner.id == id.0).unwrap();
        assert_eq!(at_github.group, "GPU");
    }
    assert_eq!(stand_in.count("GET", GROUPS), 2, "it is on the second page, which is read once");

    register(&github, "octo", "gha-3-1", "dEFAULT").await.unwrap();
    register(&github, "octo/repo", "gha-3-1", "gpu").await.unwrap();
    assert_eq!(stand_in.count("GET", GROUPS), 2, "neither the default group nor a repository's needs a call");
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_said_by_name_and_place() {
    let (stand_in, github) = stand_in(Permissions::all());
    let error = register(&github, "enterprises/octo", "gha-1-1", "gpu").await.unwrap_err();
    assert!(matches!(error, GithubError::NoSuchGroup { .. }), "{error:?}");
    assert_eq!((error.kind(), error.may_have_happened()), (Kind::Permanent, false));
    let text = said(&error);
    assert!(text.contains("\"gpu\" at enterprises/octo") && text.contains("RUNNER_GROUP"), "{text}");

    stand_in.add_group(&scope("enterprises/octo"), "gpu", None);
    register(&github, "enterprises/octo", "gha-1-1", "gpu").await.unwrap();
}

#[tokio::test]
async fn a_group_whose_id_is_refused_is_looked_up_anew() {
    let (stand_in, github) = stand_in(Permissions::all());
    stand_in.add_group(&scope("octo"), "gpu", None);
    register(&github, "octo", "gha-1-1", "gpu").await.unwrap();

    let gone = Effect::status(404, "Not Found");
    stand_in.fault(Fault::once("POST", "/orgs/octo/actions/runners/generate-jitconfig", gone));
    let error = register(&github, "octo", "gha-2-1", "gpu").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Permanent);

    register(&github, "octo", "gha-2-1", "gpu").await.unwrap();
    assert_eq!(stand_in.count("GET", "/orgs/{org}/actions/runner-groups"), 2);
}

#[tokio::test]
async fn a_missing_permission_is_permanent_and_named() {
    let repo_only = || Permissions::classic([ClassicScope::Repo]);
    let org_only = || Permissions::classic([ClassicScope::AdminOrg]);
    let actions = || Permissions::fine_grained([FineGrained::ActionsRead]);
    for (permissions, at, named) in [
        (repo_only(), "octo", "the token needs the scope admin:org"),
        (repo_only(), "enterprises/octo", "the token needs the scope manage_runners:enterprise"),
        (org_only(), "octo/repo", "the token needs the scope repo"),
        (actions(), "octo/repo", "the token needs the permission administration=write"),
        (actions(), "octo", "the token needs the permission organization_self_hosted_runners=write"),
        (actions(), "enterprises/octo", "the scope manage_runners:enterprise; only a classic token can have it"),
        (repo_only().only_at([scope("other")]), "octo/repo", "the token's owner has no right to do this there"),
    ] {
        let (_stand_in, github) = stand_in(permissions);
        let error = github.registration_token(&scope(at)).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_happened()), (Kind::Permanent, false), "{error}");
        assert!(matches!(error.status(), Some(403 | 404)), "{error}");
        let text = said(&error);
        assert!(text.contains(&format!("cannot get a registration token at {at}")), "{text}");
        assert!(text.contains(named), "{text}");
        assert!(error.lack().is_some());
    }
}

#[tokio::test]
async fn a_token_that_is_wrong_or_has_expired_is_permanent_and_says_which_setting_it_is() {
    let (stand_in, _) = stand_in(Permissions::all());
    let github = client(&stand_in, "ghp_hush_of_last_year", Duration::from_secs(10));
    let error = register(&github, "octo/repo", "gha-1-1", "Default").await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Permanent, Some(401)));
    let text = said(&error);
    assert!(text.contains("\"Bad credentials\"") && text.contains("AUTOSCALER_GITHUB_PAT"), "{text}");
}

#[tokio::test]
async fn a_limit_is_waited_for_as_long_as_github_says() {
    let wait = |seconds| Kind::RateLimited { wait: Duration::from_secs(seconds) };
    let secondary = |after| befallen(Effect::secondary_limit(after));

    assert_eq!(secondary(Some(Duration::from_secs(17))).await.kind(), wait(17));
    assert_eq!(secondary(None).await.kind(), wait(60));
    assert_eq!(befallen(Effect::too_many_requests(Duration::from_secs(9))).await.kind(), wait(9));

    let Kind::RateLimited { wait } = befallen(Effect::primary_limit(seconds_now() + 600)).await.kind() else {
        panic!("it is no limit")
    };
    assert!((598..=602).contains(&wait.as_secs()), "{wait:?}");
}

#[tokio::test]
async fn an_error_of_githubs_own_is_transient_and_leaves_open_what_happened() {
    for status in [500, 502, 503, 504] {
        let error = befallen(Effect::status(status, "Server Error")).await;
        assert_eq!((error.status(), error.kind(), error.may_have_happened()), (Some(status), Kind::Transient, true));
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_a_runner_behind_that_can_be_found_and_deleted() {
    let (stand_in, github) = stand_in(Permissions::all());
    stand_in.fault(Fault::once("POST", "/orgs/octo/actions/runners/generate-jitconfig", Effect::Lost));
    let error = register(&github, "octo", "gha-1-1", "Default").await.unwrap_err();
    assert!(matches!(error, GithubError::Lost { loss: Loss::Broken, .. }), "{error:?}");
    assert_eq!((error.kind(), error.may_have_happened()), (Kind::Transient, true));
    said(&error);

    let taken = register(&github, "octo", "gha-1-1", "Default").await.unwrap_err();
    assert_eq!((taken.status(), taken.kind(), taken.may_have_happened()), (Some(409), Kind::NameTaken, false));
    assert!(said(&taken).contains("gha-1-1"), "{taken}");

    register(&github, "octo", "gha-1-2", "Default").await.unwrap();
    let left = github.find_runner(&scope("octo"), &name("gha-1-1")).await.unwrap().unwrap();
    assert_eq!(github.delete_runner(&scope("octo"), left.id).await.unwrap(), Deleted::Deleted);
    assert_eq!(stand_in.runners().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_never_answered_ends_in_time() {
    let (stand_in, _) = stand_in(Permissions::all());
    let github = client(&stand_in, TOKEN, Duration::from_millis(300));
    stand_in.fault(Fault::once("POST", "*", Effect::Hang));
    let ended = timeout(Duration::from_secs(5), register(&github, "octo", "gha-1-1", "Default")).await;
    let error = ended.expect("the call goes on").unwrap_err();
    assert!(matches!(error, GithubError::Lost { loss: Loss::TimedOut(_), .. }), "{error:?}");
    assert_eq!((error.kind(), error.may_have_happened()), (Kind::Transient, true));
    said(&error);
}

#[tokio::test]
async fn a_busy_runner_is_left() {
    let (stand_in, github) = stand_in(Permissions::all());
    let id = register(&github, "octo", "gha-1-1", "Default").await.unwrap();
    let busy = Effect::status(422, "Runner \"gha-1-1\" is currently running a job and cannot be deleted.");
    stand_in.fault(Fault::once("DELETE", format!("/orgs/octo/actions/runners/{id}"), busy));
    assert_eq!(github.delete_runner(&scope("octo"), id).await.unwrap(), Deleted::Busy);

    stand_in.fault(Fault::once("DELETE", "*", Effect::server_error()));
    let error = github.delete_runner(&scope("octo"), id).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(500), Kind::Transient));
    assert_eq!(github.delete_runner(&scope("octo"), id).await.unwrap(), Deleted::Deleted);
}

#[tokio::test]
async fn labels_that_github_refuses_are_permanent_and_in_its_words() {
    let (_stand_in, github) = stand_in(Permissions::all());
    let request = JitRequest { name: &name("gha-1-1"), group: "Default", labels: &Labels::default() };
    let error = github.jit_config(&scope("octo"), &request).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(422), Kind::Permanent));
    assert!(said(&error).to_ascii_lowercase().contains("label"), "{error}");
}

fn seconds_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
