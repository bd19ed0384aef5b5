//! What a container does, and how it ended.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{
    errors::Error,
    models::{ContainerState, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, WaitContainerOptionsBuilder},
};
use futures_util::StreamExt as _;
use shared::model::{DockerAccess, RunnerName};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{sleep, timeout};

use super::{
    connect::{ANSWER_TIMEOUT, CHANGE_TIMEOUT, Engine, bounded},
    engine_error::classify,
    kept,
};
use crate::{
    provider::{Exit, Found, ProviderError, RunnerHandle, RunnerState},
    runner::label,
};

/// How long the end of a container is waited for before its state is looked at. A connection may die in silence.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// The pause before a wait that ended without the container's end is begun again.
const WAIT_PAUSE: Duration = Duration::from_secs(1);
/// When a container started or ended that never did.
const NEVER_YEAR: i32 = 1;

/// Waits for the end of a container that was started.
pub(super) async fn wait(engine: &Engine, container: &str) -> Result<Exit, ProviderError> {
    const DOING: &str = "wait for a container's end";
    let client = engine.client().await?;
    loop {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let mut end = client.wait_container(container, Some(options));
        match timeout(LOOK_EVERY, end.next()).await {
            // The client takes every exit code but 0 for an error.
            Ok(Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) | None) | Err(_) => {}
            Ok(Some(Err(error))) => return Err(classify(DOING, error)),
        }
        let inspected = client.inspect_container(container, None::<InspectContainerOptions>);
        let state = bounded(DOING, ANSWER_TIMEOUT, inspected).await?.state.unwrap_or_default();
        match state.status {
            Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => return Ok(exit(state)),
            Some(ContainerStateStatusEnum::CREATED) => {
                return Err(ProviderError::refused(DOING, "it was never started"));
            }
            _ => sleep(WAIT_PAUSE).await,
        }
    }
}

/// What a container was made of.
#[derive(Debug)]
pub(super) struct MadeOf {
    /// The name of its image, as it was asked for.
    pub(super) name: Option<String>,
    /// The image's id.
    pub(super) image: Option<String>,
    /// Its variables.
    pub(super) environment: BTreeMap<String, String>,
}

/// What a container was made of.
pub(super) async fn made_of(engine: &Engine, container: &str) -> Result<MadeOf, ProviderError> {
    let client = engine.client().await?;
    let inspected = client.inspect_container(container, None::<InspectContainerOptions>);
    let inspected = bounded("look at a container", ANSWER_TIMEOUT, inspected).await?;
    let config = inspected.config.unwrap_or_default();
    let variables = config.env.unwrap_or_default();
    let pair = |variable: &String| variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(MadeOf {
        name: config.image,
        image: inspected.image.filter(|image| !image.is_empty()),
        environment: variables.iter().filter_map(pair).collect(),
    })
}

/// The containers with that label, `name` or `name=value`.
pub(super) async fn list(engine: &Engine, label: &str) -> Result<Vec<Found>, ProviderError> {
    let client = engine.client().await?;
    let filters = [("label".to_owned(), vec![label.to_owned()])].into();
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = bounded("list containers", CHANGE_TIMEOUT, client.list_containers(Some(options))).await?;
    Ok(found.into_iter().filter_map(read).collect())
}

/// Reads a container of the list; `None` if it is none of ours.
fn read(container: ContainerSummary) -> Option<Found> {
    let (names, labels) = (container.names?, container.labels?);
    let name = names.first()?.trim_start_matches('/');
    if kept::runner(name).is_some() {
        return None;
    }
    let state = match container.state? {
        ContainerSummaryStateEnum::CREATED => RunnerState::Created,
        ContainerSummaryStateEnum::EXITED | ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::REMOVING => {
            RunnerState::Exited
        }
        ContainerSummaryStateEnum::RUNNING
        | ContainerSummaryStateEnum::PAUSED
        | ContainerSummaryStateEnum::RESTARTING
        | ContainerSummaryStateEnum::STOPPING
        | ContainerSummaryStateEnum::EMPTY => RunnerState::Running,
    };
    Found::read(handle(container.id?, name.parse().ok()?, &labels)?, state, &labels)
}

/// The handle of a runner with these labels; `None` if one of them is odd.
pub(super) fn handle(id: String, name: RunnerName, labels: &HashMap<String, String>) -> Option<RunnerHandle> {
    let docker = DockerAccess::read(labels.get(label::DOCKER).map_or("none", String::as_str))?;
    let keep_failed = match labels.get(label::KEEP_FAILED) {
        Some(seconds) => Some(Duration::from_secs(seconds.parse().ok()?)),
        None => None,
    };
    Some(RunnerHandle { id, name, docker, keep_failed })
}

/// When something happened, by the engine's clock; `None` if it never did.
pub(super) fn time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|time| time.year() > NEVER_YEAR)
}

fn exit(state: ContainerState) -> Exit {
    Exit {
        code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        error: state.error.filter(|error| !error.is_empty()),
        started_at: state.started_at.as_deref().and_then(time),
        finished_at: state.finished_at.as_deref().and_then(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_never_started_has_no_times() {
        let never = Some("0001-01-01T00:00:00Z".to_owned());
        let state = ContainerState {
            exit_code: Some(127),
            error: Some("no such file".to_owned()),
            started_at: never.clone(),
            finished_at: never,
            ..ContainerState::default()
        };
        let error = Some("no such file".to_owned());
        assert_eq!(exit(state), Exit { code: 127, error, ..Exit::default() });

        let ran = Some("2026-01-31T10:00:00.123456789Z".to_owned());
        let state = ContainerState { started_at: ran, error: Some(String::new()), ..ContainerState::default() };
        let exit = exit(state);
        assert_eq!((exit.started_at.unwrap().year(), exit.error), (2026, None));
    }
}
