//! Workflow jobs, as GitHub knows them.

use reqwest::Method;
use serde::{Deserialize, Deserializer};

use super::{Github, GithubError, call::Call, permission::Permission};
use crate::model::{JobId, RepositoryName, Scope};

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
