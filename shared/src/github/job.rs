//! Workflow jobs, as GitHub knows them.

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;

use super::{Github, GithubError, call::Call, permission::Permission};
use crate::model::{JobId, Label, Labels, RepositoryName, Scope};

/// A workflow job, as GitHub knows it. May lag what webhooks say by some seconds.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// How far it got.
    pub status: JobStatus,
    /// How it ended, if it has: `success`, `failure`, `cancelled` and others.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// The runner that took it, if one has.
    #[serde(default, deserialize_with = "unless_empty")]
    pub runner_name: Option<String>,
    /// When it was made, which is when it began to wait.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
    /// Its workflow run.
    #[serde(default)]
    pub run_id: u64,
    /// Which attempt of that run, from 1.
    #[serde(default)]
    pub run_attempt: Option<u32>,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The workflow's name.
    #[serde(default)]
    pub workflow_name: Option<String>,
    /// Its page.
    #[serde(default)]
    pub html_url: Option<String>,
    /// The labels of `runs-on`, as GitHub has them: unchecked.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The id of the runner that took it: none, or 0, if none has.
    #[serde(default)]
    pub runner_id: Option<u64>,
}

impl Job {
    /// The labels that it demands; none if no runner of ours could have them.
    #[must_use]
    pub fn demands(&self) -> Option<Labels> {
        let labels: Result<Vec<Label>, _> = self.labels.iter().map(|label| label.parse()).collect();
        Labels::try_from(labels.ok()?).ok()
    }
}

/// How far a workflow job got.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobStatus {
    /// It waits for a runner.
    Queued,
    /// A runner has it.
    InProgress,
    /// It has ended.
    Completed,
    /// It waits for an approval.
    Waiting,
    /// A word that this program does not know.
    #[serde(other)]
    Other,
}

/// GitHub writes null, or nothing between the quotes, where there is no runner.
fn unless_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

impl Github {
    /// A job of `repository`.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; its [status](GithubError::status) is 404 where there is no such job, or the token may not read
    /// the repository's jobs.
    pub async fn job(&self, repository: &RepositoryName, id: JobId) -> Result<Job, GithubError> {
        let purpose = format!("read job {id} of {repository}");
        let path = format!("/repos/{repository}/actions/jobs/{id}");
        let at = Scope::Repository(repository.clone());
        self.fetch(&Call::new(Method::GET, purpose, path, at, Permission::READ_JOBS)).await
    }
}
