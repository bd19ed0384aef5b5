//! The document of the engine's API says what the provider asks of it, for whoever puts a proxy between the two.

use std::{collections::BTreeSet, fs, time::Duration};

use devstack::readme;
use futures_util::TryStreamExt as _;
use shared::model::{DockerAccess, PullPolicy};
use tokio::time::sleep;
use worker::provider::{
    Provider,
    docker::{DockerConfig, DockerProvider},
};

use super::world::{IMAGE, World, builder_of, stand_in};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/docker-api.md");

/// A runner's life, whatever may become of it.
async fn live(world: &World<impl Provider>, docker: DockerAccess) {
    let mut spec = if docker == DockerAccess::Dind { world.with_daemon("true") } else { world.spec("true") };
    spec.docker.docker = docker;
    let runner = world.started(&spec).await;
    world.provider.wait(&runner).await.unwrap();
    world.provider.follow(&runner).try_collect::<Vec<String>>().await.unwrap();
    world.provider.tail(&runner, 1).await.unwrap();
    world.provider.stop(&runner, Duration::ZERO).await.unwrap();
    world.provider.find(spec.job.unwrap()).await.unwrap();
    world.provider.keep(&runner).await.unwrap();
    world.provider.remove(&runner).await.unwrap();
}

#[tokio::test]
async fn the_document_has_the_calls_that_are_made_and_no_other() {
    let world = stand_in().await;
    let engine = world.engine.as_ref().unwrap();
    world.provider.ping().await.unwrap();
    for docker in [DockerAccess::None, DockerAccess::Socket, DockerAccess::Dind] {
        live(&world, docker).await;
    }
    // What the stand-in refuses is asked nevertheless.
    let mut named = world.spec("");
    named.docker.user = Some("runner".to_owned());
    world.provider.create(&named).await.unwrap_err();
    world.provider.prepare("absent:1", PullPolicy::Missing).await.unwrap_err();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let config = DockerConfig { host: engine.host().parse().unwrap(), ..DockerConfig::default() };
    DockerProvider::new(config.clone(), IMAGE).image_state("absent:1", PullPolicy::Missing).await.unwrap();
    builder_of(config, folder.path(), IMAGE).prepare(IMAGE, PullPolicy::Missing).await.unwrap_err();
    // A volume that a runner has left.
    let left = world.with_daemon("");
    let runner = world.started(&left).await;
    world.client().remove_container(runner.id.as_str(), None).await.unwrap_or_default();
    world.provider.tidy().await.unwrap();
    sleep(Duration::from_millis(10)).await;
    world.provider.tidy().await.unwrap();
    world.provider.close().await.unwrap();

    let made = engine.calls().into_iter().map(|(method, route)| template(&format!("{method} {route}")));
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let said = readme::table(&text, "call").into_iter().map(|row| template(readme::code(&row[0]).unwrap()));
    assert_eq!(said.collect::<BTreeSet<_>>(), made.collect::<BTreeSet<_>>());
}

/// A call with nothing in its braces: what is there has a name of its own for every author.
fn template(call: &str) -> String {
    let mut parts = call.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |call, part| call + "{" + &part[part.find('}').unwrap()..])
}
