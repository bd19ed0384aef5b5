//! A workflow job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::model::Scope;
use time::OffsetDateTime;

use super::names::same;
use crate::github::HookTarget;

/// How far a job is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It waits for a runner.
    Queued,
    /// A runner has taken it.
    InProgress,
    /// It has ended.
    Completed,
}

impl JobStatus {
    /// GitHub's word for it, which is also the action of the webhook.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
        }
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Its step ended with 0.
    Success,
    /// Its step ended otherwise, or its runner was lost.
    Failure,
    /// It was cancelled, before a runner took it or later.
    Cancelled,
}

impl Conclusion {
    /// GitHub's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The runner that took a job. It stays on the job when the runner is gone.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct TakenBy {
    /// The runner's id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The id of its group.
    pub group_id: u64,
    /// The name of its group.
    pub group_name: String,
}

/// A job that a runner has got and may not have accepted yet.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) runner: u64,
    pub(super) at: OffsetDateTime,
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) run_id: u64,
    pub(super) run_attempt: u32,
    pub(super) name: String,
    pub(super) repository: String,
    pub(super) organization: Option<String>,
    pub(super) enterprise: Option<String>,
    pub(super) labels: Vec<String>,
    pub(super) script: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) status: JobStatus,
    pub(super) conclusion: Option<Conclusion>,
    pub(super) assigned: Option<Assignment>,
    pub(super) assignments: u32,
    pub(super) taken_by: Option<TakenBy>,
    pub(super) cancel: bool,
    pub(super) created_at: OffsetDateTime,
    pub(super) started_at: Option<OffsetDateTime>,
    pub(super) completed_at: Option<OffsetDateTime>,
    pub(super) log: String,
    /// The webhook's body when it was queued; later ones differ in what has changed.
    pub(super) payload: Value,
}

/// A job as it stands.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct JobView {
    /// `workflow_job.id`
    pub id: u64,
    /// Its workflow run.
    pub run_id: u64,
    /// Which attempt of that run.
    pub run_attempt: u32,
    /// Its name.
    pub name: String,
    /// The repository, `owner/name`.
    pub repository: String,
    /// The labels it demands.
    pub labels: Vec<String>,
    /// How far it is.
    pub status: JobStatus,
    /// How it ended, once it has.
    pub conclusion: Option<Conclusion>,
    /// The runner that took it.
    pub taken_by: Option<TakenBy>,
    /// How often a runner got it, accepted or not.
    pub assignments: u32,
    /// What its step printed, once it has ended.
    pub log: String,
    /// When it was queued.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When a runner took it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
}

impl Job {
    /// Whether runners that are registered at `scope` may take it.
    pub(super) fn belongs_to(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Repository(repository) => same(repository.as_str(), &self.repository),
            Scope::Organization(login) => {
                let owner = self.repository.split_once('/').map_or("", |(owner, _)| owner);
                same(login, self.organization.as_deref().unwrap_or(owner))
            }
            Scope::Enterprise(slug) => self.enterprise.as_ref().is_none_or(|enterprise| same(slug, enterprise)),
        }
    }

    pub(super) fn is_covered_by(&self, labels: &[String]) -> bool {
        self.labels.iter().all(|demanded| labels.iter().any(|label| same(label, demanded)))
    }

    /// The hook that tells of it, unless it is said which.
    pub(super) fn target(&self) -> HookTarget {
        match (&self.enterprise, &self.organization) {
            (Some(_), _) => HookTarget::Business,
            (None, Some(_)) => HookTarget::Organization,
            (None, None) => HookTarget::Repository,
        }
    }

    pub(super) fn view(&self) -> JobView {
        JobView {
            id: self.id,
            run_id: self.run_id,
            run_attempt: self.run_attempt,
            name: self.name.clone(),
            repository: self.repository.clone(),
            labels: self.labels.clone(),
            status: self.status,
            conclusion: self.conclusion,
            taken_by: self.taken_by.clone(),
            assignments: self.assignments,
            log: self.log.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
        }
    }
}
