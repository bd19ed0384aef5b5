//! A container, and what the API says of it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tempfile::TempDir;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Image, log::Log, program::Handle};

/// When a container started or ended that never did.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What a container does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    Created,
    Running,
    Exited,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Exited => "exited",
        }
    }
}

/// What was asked for when it was created.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Creation {
    pub(super) image: String,
    pub(super) env: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) host_config: HostConfig,
}

/// What was asked of the host for it.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HostConfig {
    pub(super) network_mode: String,
}

#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) asked: Creation,
    pub(super) image: Image,
    image_id: String,
    pub(super) status: Status,
    pub(super) code: i64,
    created: OffsetDateTime,
    started: Option<OffsetDateTime>,
    ended: Option<OffsetDateTime>,
    pub(super) log: Log,
    /// The job that its runner took.
    pub(super) took: Option<u64>,
    pub(super) handle: Option<Handle>,
    home: Arc<TempDir>,
}

/// A container as it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContainerView {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it was ever started.
    pub started: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The job that its runner took.
    pub took: Option<u64>,
    /// What its image's content is called.
    pub image_id: String,
}

impl Container {
    pub(super) fn new(
        (id, name): (String, String),
        asked: Creation,
        (image, image_id): (Image, String),
        home: TempDir,
    ) -> Self {
        Self {
            id,
            name,
            asked,
            image,
            image_id,
            status: Status::Created,
            code: 0,
            created: OffsetDateTime::now_utc(),
            started: None,
            ended: None,
            log: Log::default(),
            took: None,
            handle: None,
            home: Arc::new(home),
        }
    }

    /// The runner's home. It is there for as long as the container, or a clone of this, is.
    pub(super) fn home(&self) -> Arc<TempDir> {
        Arc::clone(&self.home)
    }

    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.asked.labels.get(name).map(String::as_str)
    }

    /// The job that it was made for, by its id.
    pub(super) fn job(&self) -> Option<&str> {
        self.label("autoscaler.job")
    }

    pub(super) fn pool(&self) -> &str {
        self.label("autoscaler.pool").unwrap_or_default()
    }

    pub(super) fn scope(&self) -> &str {
        self.label("autoscaler.scope").unwrap_or_default()
    }

    pub(super) fn start(&mut self, handle: Handle) {
        self.status = Status::Running;
        self.started = Some(OffsetDateTime::now_utc());
        self.handle = Some(handle);
    }

    pub(super) fn end(&mut self, code: i64) {
        self.status = Status::Exited;
        self.code = code;
        self.ended = Some(OffsetDateTime::now_utc());
        self.handle = None;
    }

    /// Whether it has that label: `name` or `name=value`.
    pub(super) fn fits(&self, label: &str) -> bool {
        match label.split_once('=') {
            Some((name, value)) => self.label(name) == Some(value),
            None => self.label(label).is_some(),
        }
    }

    pub(super) fn view(&self) -> ContainerView {
        ContainerView {
            name: self.name.clone(),
            running: self.status == Status::Running,
            started: self.started.is_some(),
            labels: self.asked.labels.clone(),
            took: self.took,
            image_id: self.image_id.clone(),
        }
    }

    /// As the list shows it.
    pub(super) fn summary(&self) -> Value {
        json!({
            "Id": self.id,
            "Names": [format!("/{}", self.name)],
            "Image": self.image.name,
            "Labels": self.asked.labels,
            "Created": self.created.unix_timestamp(),
            "State": self.status.as_str(),
            "Status": self.status.as_str(),
        })
    }

    /// As it is shown alone.
    pub(super) fn document(&self) -> Value {
        let time = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or(NEVER.to_owned());
        json!({
            "Id": self.id,
            "Name": format!("/{}", self.name),
            "Image": self.image_id,
            "Config": { "Image": self.image.name, "Labels": self.asked.labels, "Env": self.asked.env },
            "State": {
                "Status": self.status.as_str(),
                "Running": self.status == Status::Running,
                "Paused": false,
                "Restarting": false,
                "OOMKilled": false,
                "Dead": false,
                "Pid": 0,
                "ExitCode": self.code,
                "Error": "",
                "StartedAt": time(self.started),
                "FinishedAt": time(self.ended),
            },
        })
    }
}
