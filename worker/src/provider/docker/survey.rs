//! What an engine is like, and what it has: for whoever looks whether runners could start on it.

use std::collections::BTreeSet;

use bollard::{Docker, errors::Error};
use shared::model::PullPolicy;
use tokio::time::timeout;

use super::{
    connect::{ANSWER_TIMEOUT, Engine, bounded, late},
    engine_error::{classify, is_away, shortened},
    image,
};
use crate::provider::ProviderError;

/// What an engine says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EngineFacts {
    /// Where it is (`DOCKER_HOST`).
    pub host: String,
    /// Its version.
    pub version: String,
    /// The newest API that it speaks.
    pub api: String,
    /// Which version of control groups its host has: `1` or `2`; empty if it does not say.
    pub cgroup_version: String,
    /// The OCI runtimes that it has.
    pub runtimes: BTreeSet<String>,
    /// How many bytes are free where it keeps images and containers; nothing where its files cannot be seen from here.
    pub free_bytes: Option<u64>,
    /// What it warns of itself.
    pub warnings: Vec<String>,
}

/// Whether a runner could have an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ImageState {
    /// The engine has it.
    Present,
    /// The engine does not have it, and its registry does.
    Pullable,
    /// It is built when the worker starts (`DOCKER_BUILD_IMAGE`).
    IsBuilt,
    /// The engine does not have it, and may not pull it.
    Forbidden,
    /// The engine does not have it, and cannot get it: this is what it says.
    Unavailable(String),
}

/// Asks an engine about itself.
pub(super) async fn engine(engine: &Engine) -> Result<EngineFacts, ProviderError> {
    engine.ping().await?;
    let client = engine.client().await?;
    let version = bounded("ask for its version", ANSWER_TIMEOUT, client.version()).await?;
    let info = bounded("ask what it is like", ANSWER_TIMEOUT, client.info()).await?;
    let host = engine.config().host.as_str().to_owned();
    let root = info.docker_root_dir.filter(|_| host.starts_with("unix://"));
    Ok(EngineFacts {
        host,
        version: version.version.unwrap_or_default(),
        api: version.api_version.unwrap_or_default(),
        cgroup_version: info.cgroup_version.map(|version| version.to_string()).unwrap_or_default(),
        runtimes: info.runtimes.unwrap_or_default().into_keys().collect(),
        free_bytes: root.and_then(|root| free_bytes(&root)),
        warnings: info.warnings.unwrap_or_default(),
    })
}

/// How much is free there; nothing where there is no such folder: then this runs in a container.
fn free_bytes(folder: &str) -> Option<u64> {
    let around = rustix::fs::statvfs(folder).ok()?;
    Some(around.f_bavail.saturating_mul(around.f_frsize))
}

/// Looks for an image, at the engine and then at its registry.
pub(super) async fn image(client: &Docker, image: &str, pull: PullPolicy) -> Result<ImageState, ProviderError> {
    if image::inspect(client, image).await?.is_some() {
        return Ok(ImageState::Present);
    }
    if pull == PullPolicy::Never {
        return Ok(ImageState::Forbidden);
    }
    let doing = "ask a registry for an image";
    match timeout(ANSWER_TIMEOUT, client.inspect_registry_image(&image::tagged(image), None)).await {
        Ok(Ok(_found)) => Ok(ImageState::Pullable),
        Ok(Err(Error::DockerResponseServerError { message, .. })) if !is_away(&message.to_ascii_lowercase()) => {
            Ok(ImageState::Unavailable(shortened(&message)))
        }
        Ok(Err(error)) => Err(classify(doing, error)),
        Err(_) => Err(late(doing, ANSWER_TIMEOUT)),
    }
}
