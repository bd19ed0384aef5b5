//! A GitHub App as what calls are authorized with, against the stand-in for GitHub, which checks what it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use devstack::github::{APP_KEY, App, Config, Effect, Fault, FineGrained, Permissions, StandIn, Timings};
use secrecy::{ExposeSecret as _, SecretString};
use shared::{
    github::{Github, GithubConfig, GithubError, JitRequest, Kind},
    model::{Labels, RunnerName, Scope},
    settings::Environment,
    telemetry::chain,
};
use tokio::{task::JoinSet, time::sleep};

const APP: &str = "4711";
/// A key of some other App.
const OTHER_KEY: &str = include_str!("another_app.pem");
const TOKENS: &str = "/app/installations/{installation_id}/access_tokens";
const OF_REPOSITORY: &str = "/repos/{owner}/{repo}/installation";
const OF_ORGANIZATION: &str = "/orgs/{org}/installation";
const REGISTRATION: &str = "/orgs/{org}/actions/runners/registration-token";

fn everything(account: &str) -> Permissions {
    use FineGrained::{ActionsRead, Administration, SelfHostedRunners};
    Permissions::app(account, [ActionsRead, Administration, SelfHostedRunners])
}

/// An App that is installed at two accounts.
fn installed() -> App {
    App::new(4711).installed(1, "octo", everything("octo")).installed(2, "monalisa", everything("monalisa"))
}

fn stand_in(app: App, installation_token: Duration) -> (StandIn, Github) {
    let timings = Timings { installation_token, ..Timings::default() };
    let stand_in = StandIn::start(Config { timings, ..Config::default() }.app(app)).unwrap();
    let github = client(&stand_in, APP, APP_KEY);
    (stand_in, github)
}

fn usual() -> (StandIn, Github) {
    stand_in(installed(), Duration::from_hours(1))
}

fn client(stand_in: &StandIn, id: &str, key: &str) -> Github {
    let mut environment = Environment::of([
        ("AUTOSCALER_GITHUB_APP_ID", id),
        ("AUTOSCALER_GITHUB_APP_PRIVATE_KEY", key),
        ("AUTOSCALER_GITHUB_URL", stand_in.url()),
    ]);
    let config = GithubConfig::load(&mut environment);
    environment.finish().unwrap();
    let begin = key.lines().nth(1).unwrap();
    assert!(!format!("{config:?}").contains(begin), "the key prints");
    Github::new(&config).unwrap()
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

async fn register(github: &Github, at: &str, runner: &str) -> Result<(), GithubError> {
    let (name, labels): (RunnerName, Labels) = (runner.parse().unwrap(), "linux".parse().unwrap());
    let request = JitRequest { name: &name, group: "Default", labels: &labels };
    github.jit_config(&scope(at), &request).await.map(drop)
}

/// An error may go to logs and records with all its causes, and never shows a token.
fn said(error: &GithubError) -> String {
    let text = chain(error);
    assert!(!format!("{text} {error:?}").contains("ghs_") && !text.contains("eyJ"), "{text}");
    text
}

#[tokio::test]
async fn an_app_registers_runners_wherever_it_is_installed_with_one_token_for_each_installation() {
    let (stand_in, github) = usual();
    for number in 0..3 {
        register(&github, "octo", &format!("gha-{number}-1")).await.unwrap();
        register(&github, "octo/repo", &format!("gha-{number}-2")).await.unwrap();
        register(&github, "Monalisa/hello", &format!("gha-{number}-3")).await.unwrap();
    }
    assert_eq!(stand_in.runners().len(), 9);
    assert_eq!(stand_in.count("POST", TOKENS), 2);
    assert_eq!((stand_in.count("GET", OF_ORGANIZATION), stand_in.count("GET", OF_REPOSITORY)), (1, 1));
}

#[tokio::test]
async fn an_installation_that_a_webhook_named_is_not_looked_for() {
    let (stand_in, github) = usual();
    github.learn_installation("Octo", 1);
    register(&github, "octo", "gha-1-1").await.unwrap();
    assert_eq!((stand_in.count("POST", TOKENS), stand_in.count("GET", OF_ORGANIZATION)), (1, 0));
}

#[tokio::test]
async fn an_installation_that_is_there_no_more_is_looked_for_again() {
    let (stand_in, github) = usual();
    github.learn_installation("octo", 99);
    register(&github, "octo", "gha-1-1").await.unwrap();
    assert_eq!((stand_in.count("POST", TOKENS), stand_in.count("GET", OF_ORGANIZATION)), (2, 1));
    github.learn_installation("octo", 99);
    stand_in.revoke_installation_tokens();
    register(&github, "octo", "gha-2-1").await.unwrap();
    assert_eq!(stand_in.count("GET", OF_ORGANIZATION), 1, "what GitHub said is kept");
}

#[tokio::test]
async fn many_callers_at_once_cause_one_request_for_a_token() {
    let (stand_in, github) = usual();
    stand_in.fault(Fault::once("POST", "/app/*", Effect::delay(Duration::from_millis(300))));
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let github = github.clone();
        calls.spawn(async move { register(&github, "octo", &format!("gha-{number}-1")).await });
    }
    while let Some(ended) = calls.join_next().await {
        ended.unwrap().unwrap();
    }
    assert_eq!((stand_in.count("POST", TOKENS), stand_in.runners().len()), (1, 20));
}

#[tokio::test]
async fn many_starts_at_once_and_after_each_other_cause_one_request_for_a_registration_token() {
    let (stand_in, github) = usual();
    stand_in.fault(Fault::once("POST", "/orgs/octo/*", Effect::delay(Duration::from_millis(300))));
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let github = github.clone();
        calls.spawn(async move { github.registration_token(&scope("octo")).await.unwrap() });
    }
    let mut tokens = Vec::new();
    while let Some(ended) = calls.join_next().await {
        tokens.push(ended.unwrap().token.expose_secret().to_owned());
    }
    tokens.dedup();
    assert_eq!((tokens.len(), stand_in.count("POST", REGISTRATION)), (1, 1));
    github.registration_token(&scope("octo/repo")).await.unwrap();
    assert_eq!(stand_in.count("POST", "/repos/{owner}/{repo}/actions/runners/registration-token"), 1);

    github.forget_registration_token(&scope("octo")).await;
    let other = github.registration_token(&scope("octo")).await.unwrap();
    assert_ne!(other.token.expose_secret(), tokens[0]);
    assert_eq!(stand_in.count("POST", REGISTRATION), 2);
}

#[tokio::test]
async fn a_registration_token_near_its_end_is_not_handed_out() {
    let timings = Timings { token: Duration::from_secs(2), ..Timings::default() };
    let stand_in = StandIn::start(Config { timings, ..Config::default() }.app(installed())).unwrap();
    let github = client(&stand_in, APP, APP_KEY);
    let one = github.registration_token(&scope("octo")).await.unwrap();
    sleep(Duration::from_millis(2100)).await;
    let other = github.registration_token(&scope("octo")).await.unwrap();
    assert_ne!(one.token.expose_secret(), other.token.expose_secret());
}

#[tokio::test]
async fn a_token_that_ends_is_replaced_before_github_refuses_it() {
    let (stand_in, github) = stand_in(installed(), Duration::from_secs(2));
    register(&github, "octo", "gha-1-1").await.unwrap();
    register(&github, "octo", "gha-2-1").await.unwrap();
    assert_eq!(stand_in.count("POST", TOKENS), 1);
    sleep(Duration::from_millis(2100)).await;
    register(&github, "octo", "gha-3-1").await.unwrap();
    assert_eq!(stand_in.count("POST", TOKENS), 2);
    assert!(stand_in.calls().iter().all(|call| call.status == Some(201) || call.method == "GET"));
}

#[tokio::test]
async fn a_token_that_is_refused_before_its_time_is_replaced_once() {
    let (stand_in, github) = usual();
    register(&github, "octo", "gha-1-1").await.unwrap();
    stand_in.revoke_installation_tokens();
    register(&github, "octo", "gha-2-1").await.unwrap();
    assert_eq!(stand_in.count("POST", TOKENS), 2);

    let refused = Effect::status(401, "Bad credentials");
    stand_in.fault(Fault::once("POST", "/orgs/*", refused).times(2));
    let error = register(&github, "octo", "gha-3-1").await.unwrap_err();
    assert_eq!((error.status(), error.kind(), stand_in.count("POST", TOKENS)), (Some(401), Kind::Permanent, 3));
    assert!(said(&error).contains("is the App still installed there?"), "{error}");
}

#[tokio::test]
async fn a_wrong_key_a_wrong_id_and_an_account_without_the_app_are_permanent_and_say_what_to_do() {
    let (stand_in, github) = usual();
    for (github, at, status, words) in [
        (
            client(&stand_in, APP, OTHER_KEY),
            "octo",
            401,
            ["\"A JSON web token could not be decoded\"", "AUTOSCALER_GITHUB_APP_PRIVATE_KEY is not a key of the App"],
        ),
        (client(&stand_in, "12", APP_KEY), "octo", 404, ["\"Integration not found\"", "AUTOSCALER_GITHUB_APP_ID"]),
        (github, "other/repo", 404, ["find the GitHub App's installation at other/repo", "must be installed there"]),
    ] {
        let error = register(&github, at, "gha-1-1").await.unwrap_err();
        assert_eq!((error.status(), error.kind(), error.may_have_happened()), (Some(status), Kind::Permanent, false));
        let text = said(&error);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

#[tokio::test]
async fn a_permission_that_the_app_lacks_is_named() {
    let app = App::new(4711).installed(1, "octo", Permissions::app("octo", [FineGrained::ActionsRead]));
    let (_stand_in, github) = stand_in(app, Duration::from_hours(1));
    let error = register(&github, "octo", "gha-1-1").await.unwrap_err();
    let text = said(&error);
    for words in
        ["Resource not accessible by integration", "needs the permission organization_self_hosted_runners=write"]
    {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(error.kind(), Kind::Permanent);
}

#[tokio::test]
async fn at_an_enterprise_an_app_is_told_to_be_of_no_use_before_any_call() {
    let (stand_in, github) = usual();
    let error = register(&github, "enterprises/octo", "gha-1-1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Permanent);
    assert!(said(&error).contains("manage_runners:enterprise"), "{error}");
    assert!(stand_in.calls().is_empty());
}

#[tokio::test]
async fn an_error_of_githubs_while_a_token_is_asked_for_is_transient_and_not_kept() {
    let (stand_in, github) = usual();
    stand_in.fault(Fault::once("POST", "/app/*", Effect::server_error()));
    let error = register(&github, "octo", "gha-1-1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
    register(&github, "octo", "gha-1-1").await.unwrap();
}

#[test]
fn a_key_is_taken_in_both_forms_and_on_one_line() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let base64: String = APP_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let pkcs1 = STANDARD.decode(base64).unwrap();
    // PKCS#8 is PKCS#1 in an octet string, behind the version and the name of the algorithm.
    let length = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let algorithm = [0x02, 1, 0, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let inner: Vec<u8> = [&algorithm[..], &[0x04, 0x82], &length(pkcs1.len()), &pkcs1].concat();
    let pkcs8: Vec<u8> = [&[0x30, 0x82][..], &length(inner.len()), &inner].concat();
    let pkcs8 = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8));
    let stand_in = StandIn::start(Config::default().app(installed())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (number, key) in [APP_KEY.to_owned(), pkcs8, APP_KEY.trim().replace('\n', "\\n")].iter().enumerate() {
        let mut environment = Environment::of([
            ("AUTOSCALER_GITHUB_APP_ID", APP),
            ("AUTOSCALER_GITHUB_APP_PRIVATE_KEY", key),
            ("AUTOSCALER_GITHUB_URL", stand_in.url()),
        ]);
        let config = GithubConfig::load(&mut environment);
        environment.finish().unwrap();
        let github = Github::new(&config).unwrap();
        runtime.block_on(register(&github, "octo", &format!("gha-{number}-1"))).unwrap();
    }
}

#[test]
fn a_token_and_an_app_exclude_each_other_and_half_an_app_is_none() {
    const PAT: (&str, &str) = ("AUTOSCALER_GITHUB_PAT", "ghp_hush");
    const ID: (&str, &str) = ("AUTOSCALER_GITHUB_APP_ID", APP);
    const KEY: (&str, &str) = ("AUTOSCALER_GITHUB_APP_PRIVATE_KEY", APP_KEY);
    let problems = |variables: &[(&str, &str)]| {
        let mut environment = Environment::of(variables.iter().copied());
        GithubConfig::load(&mut environment);
        environment.finish().err().map(|error| error.to_string())
    };
    assert_eq!(problems(&[ID, KEY]), None);
    for (variables, problem) in [
        (&[PAT, ID, KEY][..], "AUTOSCALER_GITHUB_APP_ID: is set, and so is AUTOSCALER_GITHUB_PAT; keep one"),
        (&[PAT, KEY], "AUTOSCALER_GITHUB_APP_PRIVATE_KEY: is set, and so is AUTOSCALER_GITHUB_PAT"),
        (&[ID], "AUTOSCALER_GITHUB_APP_PRIVATE_KEY: is not set, and AUTOSCALER_GITHUB_APP_ID is"),
        (&[KEY], "AUTOSCALER_GITHUB_APP_ID: is not set, and AUTOSCALER_GITHUB_APP_PRIVATE_KEY is"),
        (&[], "AUTOSCALER_GITHUB_PAT: is not set; give a token"),
        (&[ID, (KEY.0, "hush")], "AUTOSCALER_GITHUB_APP_PRIVATE_KEY: a GitHub App's private key is PEM"),
    ] {
        let said = problems(variables).unwrap();
        assert!(said.contains(problem) && said.lines().count() == 2 && !said.contains("hush"), "{said}");
    }
}

/// The stand-in would take the key of whoever has one: this holds that it does not.
#[tokio::test]
async fn the_stand_in_knows_apps_by_their_own_keys() {
    let app = App { key: SecretString::from(OTHER_KEY), ..installed() };
    let (stand_in, github) = stand_in(app, Duration::from_hours(1));
    register(&github, "octo", "gha-1-1").await.unwrap_err();
    register(&client(&stand_in, APP, OTHER_KEY), "octo", "gha-1-1").await.unwrap();
}
