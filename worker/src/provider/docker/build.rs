//! Building the runner's image.

use std::collections::VecDeque;

use bollard::{Docker, body_stream, errors::Error, query_parameters::BuildImageOptionsBuilder};
use futures_util::TryStreamExt as _;
use shared::telemetry::chain;
use tokio::time::timeout;
use tracing::{debug, info};

use super::{
    DockerConfig,
    build_context::{BuildContext, ContextError, Pieces},
    connect::{CHANGE_TIMEOUT, IMAGE_TIMEOUT},
    engine_error::{classify, is_away, shortened},
    image::absent,
};
use crate::provider::ProviderError;

/// How many lines of a build that failed are passed on.
const LINES_KEPT: usize = 8;

/// Builds the image called `tag` as the settings say.
pub(super) async fn build(client: &Docker, config: &DockerConfig, tag: &str) -> Result<(), ProviderError> {
    info!(image = tag, "Building the image");
    let (directory, dockerfile) = (config.build_path.0.clone(), config.runner_dockerfile.0.clone());
    let opened = tokio::task::spawn_blocking(move || BuildContext::open(&directory, &dockerfile)).await;
    let context = opened.map_err(|error| ProviderError::refused("build an image", error.to_string()))?;
    let context = context.map_err(|error| unbuilt(tag, &chain(&error)))?;

    let options = BuildImageOptionsBuilder::new()
        .dockerfile(context.dockerfile())
        .t(tag)
        .nocache(config.no_cache)
        .rm(true)
        .forcerm(true)
        .build();
    let (writer, pieces) = Pieces::new();
    // Ends when the engine has taken all, or when the stream below is dropped.
    let writing = tokio::task::spawn_blocking(move || context.write(writer));
    let built = timeout(IMAGE_TIMEOUT, run(client, options, pieces)).await;
    // The engine hangs up when it has seen enough; if it does not, what it said is what counts.
    let written = timeout(CHANGE_TIMEOUT, writing).await;

    // What is wrong with the directory explains what the engine says of half an archive.
    if let Ok(Ok(Err(error))) = &written
        && !matches!(error, ContextError::Cut)
    {
        return Err(unbuilt(tag, &chain(error)));
    }
    match built {
        Ok(Ok(())) => {
            info!(image = tag, "The image is built");
            Ok(())
        }
        Ok(Err(Failed { error, lines })) => match said(&error) {
            Some(message) => Err(unbuilt(tag, &shortened(&format!("{message} (after: {})", lines.join(" | "))))),
            None => Err(classify("build an image", error)),
        },
        Err(_) => Err(unbuilt(tag, &format!("it took more than {} minutes", IMAGE_TIMEOUT.as_secs() / 60))),
    }
}

/// A build that failed, and the last that it said before.
struct Failed {
    error: Error,
    lines: Vec<String>,
}

async fn run(
    client: &Docker,
    options: bollard::query_parameters::BuildImageOptions,
    pieces: impl futures_util::Stream<Item = bytes::Bytes> + Send + 'static,
) -> Result<(), Failed> {
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut steps = client.build_image(options, None, Some(body_stream(pieces)));
    loop {
        match steps.try_next().await {
            Ok(Some(step)) => {
                for line in step.stream.unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
                    debug!(line, "Building");
                    if lines.len() == LINES_KEPT {
                        lines.pop_front();
                    }
                    lines.push_back(line.trim().to_owned());
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => return Err(Failed { error, lines: lines.into() }),
        }
    }
}

/// What the engine says of a build that failed; `None` if it is the engine that failed.
fn said(error: &Error) -> Option<&str> {
    let message = match error {
        Error::DockerResponseServerError { message, .. } => message,
        Error::DockerStreamError { error } => error,
        _ => return None,
    };
    (!is_away(&message.to_ascii_lowercase())).then_some(message)
}

fn unbuilt(tag: &str, problem: &str) -> ProviderError {
    absent(tag, &format!("it cannot be built: {problem}"))
}
