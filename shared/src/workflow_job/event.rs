//! The body of a `workflow_job` event: of its many fields, those that decide something.

use std::borrow::Cow;

use serde::Deserialize;

use crate::model::{HookTarget, JobId, Labels, Origin, RegisterAt, RepositoryName};

/// A `workflow_job` event. Fields and values that are not known here are no error: GitHub adds them at any time.
#[derive(Debug, Deserialize)]
pub struct WorkflowJobEvent<'a> {
    /// What happened.
    pub action: Action,
    /// The job that it happened to.
    #[serde(borrow)]
    pub workflow_job: WorkflowJob<'a>,
    /// The job's repository.
    pub repository: Repository,
    /// Only where the repository belongs to one.
    #[serde(borrow, default)]
    pub organization: Option<Organization<'a>>,
    /// Only where the repository belongs to one.
    #[serde(borrow, default)]
    pub enterprise: Option<Enterprise<'a>>,
    /// Only where the delivery came through an App.
    #[serde(default)]
    pub installation: Option<Installation>,
}

/// What happened to the job.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
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
#[derive(Debug, Deserialize)]
pub struct WorkflowJob<'a> {
    /// Its id.
    pub id: JobId,
    /// Its workflow run.
    pub run_id: u64,
    /// Which attempt of that run, from 1.
    #[serde(default = "first_attempt")]
    pub run_attempt: u32,
    /// Its name: any text.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The workflow's name.
    #[serde(default)]
    pub workflow_name: Option<Cow<'a, str>>,
    /// Its page.
    #[serde(default)]
    pub html_url: Option<Cow<'a, str>>,
    /// The labels of `runs-on`.
    pub labels: Labels,
    /// How it ended, once it has.
    #[serde(default)]
    pub conclusion: Option<Cow<'a, str>>,
    /// The runner's id; 0 or none where there is no runner.
    #[serde(default)]
    pub runner_id: Option<u64>,
    /// The runner's name; empty or none where there is no runner.
    #[serde(default)]
    pub runner_name: Option<Cow<'a, str>>,
}

/// A repository.
#[derive(Debug, Deserialize)]
pub struct Repository {
    /// `owner/name`.
    pub full_name: RepositoryName,
}

/// An organization.
#[derive(Debug, Deserialize)]
pub struct Organization<'a> {
    /// What it is called.
    #[serde(borrow)]
    pub login: Cow<'a, str>,
}

/// An enterprise.
#[derive(Debug, Deserialize)]
pub struct Enterprise<'a> {
    /// What it is called in addresses.
    #[serde(borrow)]
    pub slug: Cow<'a, str>,
}

/// The installation of a GitHub App.
#[derive(Debug, Deserialize)]
pub struct Installation {
    /// Its id.
    pub id: u64,
}

const fn first_attempt() -> u32 {
    1
}

impl<'a> WorkflowJobEvent<'a> {
    /// Reads the JSON of a delivery.
    ///
    /// # Errors
    ///
    /// When it is no JSON of such an event.
    pub fn parse(json: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// Where the job comes from, by the event and by the delivery that brought it.
    #[must_use]
    pub fn origin(&self, target: HookTarget, hook: Option<u64>, register_at: RegisterAt) -> Origin {
        Origin {
            repository: self.repository.full_name.clone(),
            organization: self.organization.as_ref().map(|organization| organization.login.clone().into_owned()),
            enterprise: self.enterprise.as_ref().map(|enterprise| enterprise.slug.clone().into_owned()),
            installation: self.installation.as_ref().map(|installation| installation.id),
            target,
            hook,
            register_at,
        }
    }
}

impl WorkflowJob<'_> {
    /// The name of the runner that has or had the job. GitHub says 0 or null, and null or "", where there was none.
    #[must_use]
    pub fn runner(&self) -> Option<Cow<'_, str>> {
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
