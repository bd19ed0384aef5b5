//! When a container was created and started: the engine's own word, to the nanosecond.

use std::collections::HashMap;

use anyhow::Context as _;
use bollard::{Docker, query_parameters::EventsOptionsBuilder};
use futures_util::TryStreamExt as _;
use time::OffsetDateTime;

/// What the engine says of one container. Its clock is this machine's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    pub(super) created: OffsetDateTime,
    /// Its first process runs. The answer to the call follows at once, whoever made it.
    pub(super) started: OffsetDateTime,
}

impl Timeline {
    /// Asks the engine what happened to the container of that name since `since`. It may be gone by now.
    pub(super) async fn of(docker: &Docker, container: &str, since: OffsetDateTime) -> anyhow::Result<Self> {
        let filters = HashMap::from([
            ("container".to_owned(), vec![container.to_owned()]),
            ("event".to_owned(), vec!["create".to_owned(), "start".to_owned()]),
        ]);
        let options = EventsOptionsBuilder::default()
            .since(&seconds(since))
            .until(&seconds(OffsetDateTime::now_utc()))
            .filters(&filters)
            .build();
        let events: Vec<_> = docker.events(Some(options)).try_collect().await?;
        let at = |action: &str| {
            let event = events.iter().find(|event| event.action.as_deref() == Some(action));
            let nanos = event.and_then(|event| event.time_nano);
            let nanos = nanos.with_context(|| format!("the engine does not tell of the {action} of {container}"))?;
            OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).context("the engine tells an odd time")
        };
        Ok(Self { created: at("create")?, started: at("start")? })
    }
}

/// A time as the engine reads it: `1700000000.123456789`.
fn seconds(at: OffsetDateTime) -> String {
    format!("{}.{:09}", at.unix_timestamp(), at.nanosecond())
}
