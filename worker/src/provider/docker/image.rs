//! Images: what is in them, and how they get to the engine.

use bollard::{Docker, errors::Error, query_parameters::CreateImageOptionsBuilder};
use futures_util::TryStreamExt as _;
use tokio::time::timeout;
use tracing::info;

use super::{
    connect::{ANSWER_TIMEOUT, IMAGE_TIMEOUT},
    engine_error::{classify, is_away, shortened},
};
use crate::provider::ProviderError;

/// What a container inherits from its image.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct ImageFacts {
    /// The engine's id of it: the same id is the same content.
    pub(super) id: String,
    /// The user that it runs as, as its Dockerfile says it.
    pub(super) user: String,
    /// Its entry point.
    pub(super) entrypoint: Vec<String>,
    /// Its command.
    pub(super) cmd: Vec<String>,
}

/// What is in `image`; `None` if the engine does not have it.
pub(super) async fn inspect(client: &Docker, image: &str) -> Result<Option<ImageFacts>, ProviderError> {
    let inspected = match timeout(ANSWER_TIMEOUT, client.inspect_image(image)).await {
        Ok(Ok(inspected)) => inspected,
        Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => return Ok(None),
        Ok(Err(error)) => return Err(classify("look at an image", error)),
        Err(_) => return Err(super::connect::late("look at an image", ANSWER_TIMEOUT)),
    };
    let config = inspected.config.unwrap_or_default();
    Ok(Some(ImageFacts {
        id: inspected.id.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        cmd: config.cmd.unwrap_or_default(),
    }))
}

/// Pulls `image` from its registry. The engine joins pulls of the same image.
pub(super) async fn pull(client: &Docker, image: &str) -> Result<(), ProviderError> {
    info!(image, "Pulling the image");
    let options = CreateImageOptionsBuilder::new().from_image(&tagged(image)).build();
    let pulling = client.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
    match timeout(IMAGE_TIMEOUT, pulling).await {
        Ok(Ok(())) => {
            info!(image, "The image is pulled");
            Ok(())
        }
        Ok(Err(Error::DockerResponseServerError { message, .. } | Error::DockerStreamError { error: message }))
            if !is_away(&message.to_ascii_lowercase()) =>
        {
            Err(absent(image, &format!("it cannot be pulled: {}", shortened(&message))))
        }
        Ok(Err(error)) => Err(classify("pull an image", error)),
        Err(_) => Err(absent(image, &format!("it was not pulled in {} minutes", IMAGE_TIMEOUT.as_secs() / 60))),
    }
}

/// The image is not there, and what to do about it.
pub(super) fn absent(image: &str, problem: &str) -> ProviderError {
    let remedy = "correct its name in pools.toml or in DOCKER_RUNNER_IMAGE and DOCKER_RUNNER_TAG, \
                  or pull, load or build it on the worker's engine";
    ProviderError::ImageAbsent { image: image.to_owned(), problem: format!("{problem}; {remedy}") }
}

/// The image with `:latest`, if it has neither a tag nor a digest: the engine would pull all of its tags.
pub(super) fn tagged(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image); // before it, a colon belongs to a port
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_tag_is_its_latest() {
        for (image, full) in [
            ("runner", "runner:latest"),
            ("registry:5000/a/runner", "registry:5000/a/runner:latest"),
            ("registry:5000/runner:1", "registry:5000/runner:1"),
            ("runner@sha256:00", "runner@sha256:00"),
        ] {
            assert_eq!(tagged(image), full);
        }
    }
}
