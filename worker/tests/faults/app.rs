//! Workers that are a GitHub App: what befalls its tokens befalls no job.

use std::time::Duration;

use devstack::github::JobSpec;

use crate::{
    counts::Counts,
    spec::{AppOptions, Options, job},
    world::{PATIENCE, World, alone},
};

const TOKENS: &str = "/app/installations/{installation_id}/access_tokens";

fn app(id: &'static str, token: Duration) -> Options {
    Options { app: Some(AppOptions { id, token }), ..Options::default() }
}

/// A job of each account, by the webhook of its installation.
fn jobs() -> [JobSpec; 2] {
    [("octocat/one", 1), ("monalisa/two", 2)].map(|(repository, installation)| JobSpec {
        installation: Some(installation),
        ..job(repository, "default", "sleep 0.2")
    })
}

/// Tokens end while jobs run, and some of them before their time.
#[tokio::test]
async fn jobs_of_two_installations_are_done_while_their_tokens_end_and_are_revoked() {
    let _alone = alone().await;
    let mut world = World::start(app("4711", Duration::from_secs(3))).await;
    let mut ids = Vec::new();
    for round in 0..5 {
        if round == 1 {
            world.github.revoke_installation_tokens();
        }
        ids.extend(jobs().map(|job| world.github.queue_job(job)));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    world.rest(PATIENCE).await;
    for id in ids {
        let record = world.record(id).await.unwrap();
        assert_eq!((record.state.as_str(), record.attempts), ("done", 0), "{record:#?}");
    }
    let tokens = world.github.count("POST", TOKENS);
    assert!((6..=30).contains(&tokens), "{tokens} tokens");
    for of_whom in ["/repos/{owner}/{repo}/installation", "/orgs/{org}/installation"] {
        assert_eq!(world.github.count("GET", of_whom), 0, "webhooks say which installation it is");
    }
    let said = world.story();
    assert!(!said.contains("ghs_") && !said.contains("PRIVATE KEY"), "{said}");
    Counts::of(&world).hold("an app's tokens");
}

#[tokio::test]
async fn an_app_that_github_does_not_know_is_a_dead_letter_that_names_the_setting() {
    let _alone = alone().await;
    let mut world = World::start(app("12", Duration::from_hours(1))).await;
    let [job, _] = jobs();
    let id = world.github.queue_job(job);
    world.rest(PATIENCE).await;
    let record = world.record(id).await.unwrap();
    let error = record.error.clone().unwrap_or_default();
    assert_eq!(record.state.as_str(), "dead", "{record:#?}");
    for words in ["Integration not found", "AUTOSCALER_GITHUB_APP_ID"] {
        assert!(error.contains(words), "{error}");
    }
}
