//! The containers of runners that failed, which are kept for a while. They are known by their names, which unlike labels can be
//! changed, and their time by the engine's clock.

use std::{collections::HashMap, time::Duration};

use bollard::{
    Docker,
    errors::Error,
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, RenameContainerOptionsBuilder},
};
use shared::model::RunnerName;
use time::OffsetDateTime;

use super::{
    connect::{ANSWER_TIMEOUT, CHANGE_TIMEOUT, bounded},
    state,
};
use crate::{
    provider::{ProviderError, RunnerHandle},
    runner::label,
};

/// What their names end with.
const SUFFIX: &str = ".kept";

/// The runner whose container of that name is kept, if it is one of those.
pub(super) fn runner(container: &str) -> Option<&str> {
    container.strip_suffix(SUFFIX)
}

/// Gives a runner's container the name of one that is kept, and returns that.
pub(super) async fn rename(client: &Docker, container: &str, runner: &RunnerName) -> Result<String, ProviderError> {
    let name = format!("{runner}{SUFFIX}");
    let options = RenameContainerOptionsBuilder::new().name(&name).build();
    let renaming = async {
        match client.rename_container(container, options).await {
            // It has it already.
            Err(Error::DockerResponseServerError { message, .. }) if message.contains("same name") => Ok(()),
            renamed => renamed,
        }
    };
    bounded("keep a runner's container", CHANGE_TIMEOUT, renaming).await?;
    Ok(name)
}

/// Those whose time is over, as their runners.
pub(super) async fn due(client: &Docker) -> Result<Vec<RunnerHandle>, ProviderError> {
    let filters = HashMap::from([("label".to_owned(), vec![label::KEEP_FAILED.to_owned()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = bounded("list containers", CHANGE_TIMEOUT, client.list_containers(Some(options))).await?;
    let kept: Vec<(RunnerHandle, Duration)> = containers.into_iter().filter_map(read).collect();
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let info = bounded("ask for the engine's time", ANSWER_TIMEOUT, client.info()).await?;
    let now = info.system_time.as_deref().and_then(state::time);
    let mut due = Vec::new();
    for (runner, keep) in kept {
        let inspected = client.inspect_container(&runner.id, None::<InspectContainerOptions>);
        match bounded("look at a container", ANSWER_TIMEOUT, inspected).await {
            Ok(inspected) => {
                let ended = inspected.state.and_then(|state| state.finished_at).as_deref().and_then(state::time);
                if is_due(ended, keep, now) {
                    due.push(runner);
                }
            }
            Err(ProviderError::Gone) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(due)
}

/// One that is kept; somebody may have started it again, to look into it.
fn read(container: ContainerSummary) -> Option<(RunnerHandle, Duration)> {
    let name = runner(container.names?.first()?.trim_start_matches('/'))?.parse().ok()?;
    let is_up = container.state == Some(ContainerSummaryStateEnum::RUNNING);
    let handle = state::handle(container.id?, name, &container.labels?)?;
    let keep = handle.keep_failed?;
    (!is_up).then_some((handle, keep))
}

/// Where there is no telling when it ended, or how late it is, it is not kept for ever.
fn is_due(ended: Option<OffsetDateTime>, keep: Duration, now: Option<OffsetDateTime>) -> bool {
    ended.zip(now).is_none_or(|(ended, now)| now - ended >= keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_container_is_due_a_while_after_its_end() {
        let ended = OffsetDateTime::UNIX_EPOCH;
        let due = |seconds| is_due(Some(ended), Duration::from_mins(1), Some(ended + Duration::from_secs(seconds)));
        assert!(!due(59) && due(60));
        assert!(is_due(None, Duration::from_mins(1), Some(ended)));
    }

    #[test]
    fn only_a_name_with_the_ending_is_that_of_a_kept_one() {
        assert_eq!((runner("gha-7-1.kept"), runner("gha-7-1")), (Some("gha-7-1"), None));
    }
}
