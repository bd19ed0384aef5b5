//! Looks whether everything is there that a job needs on its way, and says what to do where it is not.
//!
//! Each subject is a file: thin probes, and pure functions from what they bring to a [`Finding`]. They look side by side, each
//! within a bound of its own, so that one that hangs hides no other.

mod docker;
mod finding;
mod github;
mod hook;
mod queue;
mod scopes;
mod settings;

use std::{collections::HashSet, time::Duration};

use futures_util::future::{join_all, join3};
use shared::{
    github::Github,
    model::{Pool, Scope},
    queue::StoreFacts,
};
use tokio::time::timeout;

pub use finding::{Finding, Subject, Verdict};
use scopes::Place;
pub use settings::unsound;

use crate::{config::Settings, provider::docker::DockerProvider};

/// How long one check may take.
const BOUND: Duration = Duration::from_secs(15);
/// How many places are looked at: each takes some calls.
const PLACES_MAX: usize = 20;

/// Looks at everything. `named`: the place to look at, in place of those that are known.
pub async fn look(settings: &Settings, named: Option<Scope>) -> Vec<Finding> {
    let docker = DockerProvider::new(settings.docker.clone(), &settings.default_image);
    let pools = settings.pools.all();
    let served = settings.pools.names();
    let pools: Vec<&Pool> = pools.iter().filter(|pool| served.contains(&pool.name)).collect();
    let (queue, github, docker) = join3(
        within(Subject::Queue, "queue", queue::look(&settings.queue)),
        Box::pin(look_at_github(settings, named)),
        within(Subject::Docker, "engine", Box::pin(docker::look(&docker, &pools))),
    )
    .await;
    [settings::sound(settings), queue, github, docker].concat()
}

async fn look_at_github(settings: &Settings, named: Option<Scope>) -> Vec<Finding> {
    if settings.github.credential().is_none() {
        let found = "neither AUTOSCALER_GITHUB_PAT nor AUTOSCALER_GITHUB_APP_ID is set: workers need one of them";
        return vec![
            Finding::failure(Subject::Github, "credential", found)
                .advise("README, \"Set it up with GitHub\", says how"),
        ];
    }
    let github = match Github::new(&settings.github) {
        Ok(github) => github,
        Err(error) => {
            return vec![Finding::failure(Subject::Github, "credential", shared::telemetry::chain(&error))];
        }
    };
    let mut places = match named {
        Some(scope) => vec![Place::at(scope)],
        None => places(settings).await,
    };
    let left_out = places.len().saturating_sub(PLACES_MAX);
    places.truncate(PLACES_MAX);
    let credential =
        within(Subject::Github, "credential", github::look(&github, places.first().map(|place| &place.scope)));
    let rights =
        join_all(places.iter().map(|place| {
            within(Subject::Github, format!("rights at {}", place.scope), github::look_at(&github, place))
        }));
    let (mut findings, rights, hooks) = join3(credential, rights, look_at_hooks(&github, &places)).await;
    findings.extend(rights.into_iter().flatten());
    let without = |why: String| Finding::skipped(Subject::Github, "rights", why);
    if places.is_empty() {
        findings.push(
            without("no webhook has come yet, and no pool has scopes".to_owned())
                .advise("name where runners are to register: worker doctor --repo OWNER/REPO, or --org ORG"),
        );
    } else if left_out > 0 {
        findings.push(without(format!("{left_out} more places were not looked at")));
    }
    findings.extend(hooks);
    findings
}

/// The GitHub App's own webhook, or else those of the places.
async fn look_at_hooks(github: &Github, places: &[Place]) -> Vec<Finding> {
    if github.app().is_some() {
        let own = async { hook::look_at_app(github).await.unwrap_or_default() };
        let own = within(Subject::Hook, "the GitHub App's hook", own).await;
        if !own.is_empty() {
            return own;
        }
    }
    let looks = places
        .iter()
        .map(|place| within(Subject::Hook, format!("webhook of {}", place.scope), hook::look_at(github, place)));
    let mut known = HashSet::new();
    let found = join_all(looks).await.into_iter().flatten();
    // Repositories of one organization may share a webhook.
    found.filter(|finding| known.insert(finding.check.clone())).collect()
}

/// Where runners register, as far as it is known.
async fn places(settings: &Settings) -> Vec<Place> {
    // A queue that is away is told of elsewhere, and a file that is not there yet is not to be made by looking.
    let there = match settings.queue.store_facts().await {
        Ok(StoreFacts::Servers(_)) => true,
        Ok(StoreFacts::File(file)) => file.mode.is_some(),
        Err(_) => false,
    };
    let seen = if there { settings.queue.seen().await.unwrap_or_default().origins } else { Vec::new() };
    scopes::places(&settings.pools.all(), &seen)
}

/// Waits for a check no longer than [`BOUND`].
async fn within(subject: Subject, check: impl Into<String>, look: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    match timeout(BOUND, look).await {
        Ok(findings) => findings,
        Err(_elapsed) => {
            let found = format!("no answer within {} s", BOUND.as_secs());
            vec![Finding::failure(subject, check, found).advise("what does it hang at? See whether it answers by hand")]
        }
    }
}
