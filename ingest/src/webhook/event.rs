//! The body of a `workflow_job` event: of its many fields, those that decide something.

use std::borrow::Cow;

use serde::Deserialize;
use shared::model::{JobId, Labels, RepositoryName};

use super::error::ReceiveError;

/// A `workflow_job` event. Fields and values that are not known here are no error: GitHub adds them at any time.
#[derive(Deserialize)]
pub(super) struct WorkflowJobEvent<'a> {
    pub(super) action: Action,
    #[serde(borrow)]
    pub(super) workflow_job: WorkflowJob<'a>,
    pub(super) repository: Repository,
    /// Only where the repository belongs to one.
    #[serde(borrow, default)]
    pub(super) organization: Option<Organization<'a>>,
    /// Only where the repository belongs to one.
    #[serde(borrow, default)]
    pub(super) enterprise: Option<Enterprise<'a>>,
    /// Only where the delivery came through an App.
    #[serde(default)]
    pub(super) installation: Option<Installation>,
}

/// What happened to the job.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// It wants a runner.
    Queued,
    /// It waits for an approval, and is queued again later.
    Waiting,
    /// A runner has taken it.
    InProgress,
    /// It has ended.
    Completed,
    /// Something that is not known here.
    #[serde(other)]
    Other,
}

/// The job.
#[derive(Deserialize)]
pub(super) struct WorkflowJob<'a> {
    pub(super) id: JobId,
    pub(super) run_id: u64,
    #[serde(default = "first_attempt")]
    pub(super) run_attempt: u32,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(default)]
    pub(super) workflow_name: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) html_url: Option<Cow<'a, str>>,
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) conclusion: Option<Cow<'a, str>>,
    #[serde(default)]
    runner_id: Option<u64>,
    #[serde(default)]
    runner_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: RepositoryName,
}

#[derive(Deserialize)]
pub(super) struct Organization<'a> {
    #[serde(borrow)]
    pub(super) login: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Enterprise<'a> {
    #[serde(borrow)]
    pub(super) slug: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Installation {
    pub(super) id: u64,
}

const fn first_attempt() -> u32 {
    1
}

impl<'a> WorkflowJobEvent<'a> {
    /// Reads the JSON of a delivery.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Malformed`].
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, ReceiveError> {
        serde_json::from_slice(json).map_err(ReceiveError::Malformed)
    }
}

impl WorkflowJob<'_> {
    /// The name of the runner that has or had the job. GitHub says 0 or null, and null or "", where there was none.
    pub(super) fn runner(&self) -> Option<Cow<'_, str>> {
        match (self.runner_name.as_deref(), self.runner_id) {
            (Some(name), _) if !name.is_empty() => Some(Cow::Borrowed(name)),
            (_, Some(id)) if id != 0 => Some(Cow::Owned(format!("number {id}"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn minimal() -> Value {
        json!({
            "action": "queued",
            "workflow_job": { "id": 7, "run_id": 5, "name": "build", "labels": ["self-hosted"] },
            "repository": { "full_name": "octo-org/octo-repo" },
        })
    }

    fn with(path: &str, value: Value) -> Vec<u8> {
        let mut event = minimal();
        let (parent, key) = path.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[key] = value;
        event.to_string().into_bytes()
    }

    #[test]
    fn only_what_every_event_has_is_demanded() {
        let text = minimal().to_string();
        let event = WorkflowJobEvent::parse(text.as_bytes()).ok().unwrap();
        assert_eq!(event.action, Action::Queued);
        assert_eq!(event.workflow_job.run_attempt, 1);
        assert!(event.organization.is_none() && event.workflow_job.runner().is_none());
        assert!(matches!(event.workflow_job.name, Cow::Borrowed("build")));
    }

    #[test]
    fn what_github_may_add_one_day_is_no_error() {
        for (path, value) in [
            ("/action", json!("teleported")),
            ("/new", json!({ "deep": [[[]]] })),
            ("/workflow_job/conclusion", json!("exploded")),
            ("/workflow_job/runner_id", json!(null)),
            ("/organization", json!(null)),
            ("/organization", json!({ "login": "o", "more": 1 })),
        ] {
            assert!(WorkflowJobEvent::parse(&with(path, value.clone())).is_ok(), "{path} = {value}");
        }
        let unknown = with("/action", json!("teleported"));
        assert_eq!(WorkflowJobEvent::parse(&unknown).ok().unwrap().action, Action::Other);
    }

    #[test]
    fn what_makes_no_sense_is_malformed() {
        for (path, value) in [
            ("/action", json!(5)),
            ("/workflow_job/id", json!(0)),
            ("/workflow_job/id", json!("7")),
            ("/workflow_job/labels", json!(["a,b"])),
            ("/workflow_job/labels", json!([""])),
            ("/workflow_job/labels", json!(null)),
            ("/repository/full_name", json!("a/../b")),
        ] {
            assert!(WorkflowJobEvent::parse(&with(path, value.clone())).is_err(), "{path} = {value}");
        }
        for text in ["", "{", "[]", "null", "{}", "{} {}", "\u{0}"] {
            assert!(WorkflowJobEvent::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(WorkflowJobEvent::parse(b"\xff\xfe").is_err());
    }
}
