//! How jobs come in, and what the webhooks about them say.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::model::RepositoryName;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    State,
    job::{Conclusion, Job, JobStatus},
};
use crate::github::webhook;

/// A job that is to be queued.
#[derive(Clone, Debug, Deserialize)]
pub struct JobSpec {
    /// The repository whose workflow it is.
    pub repository: RepositoryName,
    /// The organization that owns the repository; a user owns it without.
    #[serde(default)]
    pub organization: Option<String>,
    /// The enterprise that the organization belongs to.
    #[serde(default)]
    pub enterprise: Option<String>,
    /// The labels of `runs-on`.
    pub labels: Vec<String>,
    /// Its name.
    #[serde(default = "JobSpec::name")]
    pub name: String,
    /// The workflow's name.
    #[serde(default = "JobSpec::workflow")]
    pub workflow: String,
    /// Its one step, for `/bin/sh -c`.
    #[serde(default = "JobSpec::script")]
    pub script: String,
    /// The step's variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The run that it belongs to; one of its own without.
    #[serde(default)]
    pub run_id: Option<u64>,
    /// Which attempt of that run.
    #[serde(default = "JobSpec::attempt")]
    pub run_attempt: u32,
    /// The GitHub App's installation that the webhook comes through.
    #[serde(default)]
    pub installation: Option<u64>,
}

impl JobSpec {
    /// A job called `build` that demands `self-hosted` and `linux`, and does nothing.
    #[must_use]
    pub fn of(repository: RepositoryName) -> Self {
        Self {
            repository,
            organization: None,
            enterprise: None,
            labels: vec!["self-hosted".to_owned(), "linux".to_owned()],
            name: Self::name(),
            workflow: Self::workflow(),
            script: Self::script(),
            env: BTreeMap::new(),
            run_id: None,
            run_attempt: Self::attempt(),
            installation: None,
        }
    }

    fn name() -> String {
        "build".to_owned()
    }

    fn workflow() -> String {
        "CI".to_owned()
    }

    fn script() -> String {
        "true".to_owned()
    }

    fn attempt() -> u32 {
        1
    }
}

/// A payload that no job can be made of.
#[derive(Debug, thiserror::Error)]
#[error("the payload is not that of a workflow_job event: {0}")]
pub struct OddPayload(String);

/// What is read of a payload that was given from outside.
#[derive(Deserialize)]
struct Given {
    workflow_job: GivenJob,
    repository: GivenRepository,
    organization: Option<GivenAccount>,
    enterprise: Option<GivenEnterprise>,
}

#[derive(Deserialize)]
struct GivenJob {
    id: u64,
    run_id: u64,
    #[serde(default = "JobSpec::attempt")]
    run_attempt: u32,
    #[serde(default)]
    name: String,
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct GivenRepository {
    full_name: String,
}

#[derive(Deserialize)]
struct GivenAccount {
    login: String,
}

#[derive(Deserialize)]
struct GivenEnterprise {
    slug: String,
}

impl State {
    /// Adds a job that waits for a runner. No webhook tells of it yet.
    pub(crate) fn add_job(&mut self, spec: JobSpec, now: OffsetDateTime) -> u64 {
        let id = self.next_job;
        self.next_job += 1;
        let run_id = spec.run_id.unwrap_or(self.next_run);
        self.next_run += 1;
        let payload = webhook::queued(&self.public_url, &spec, id, run_id, now);
        self.wait_for_runner(
            Job {
                id,
                run_id,
                run_attempt: spec.run_attempt,
                name: spec.name,
                repository: spec.repository.to_string(),
                organization: spec.organization,
                enterprise: spec.enterprise,
                labels: spec.labels,
                script: spec.script,
                env: spec.env,
                status: JobStatus::Queued,
                conclusion: None,
                assigned: None,
                assignments: 0,
                taken_by: None,
                cancel: false,
                created_at: now,
                started_at: None,
                completed_at: None,
                log: String::new(),
                payload,
            },
            now,
        );
        id
    }

    /// Adds the job that a webhook's body tells of, whoever wrote it. A job of that id is replaced.
    pub(crate) fn adopt_job(&mut self, body: &[u8], script: &str, now: OffsetDateTime) -> Result<u64, OddPayload> {
        let odd = |error: serde_json::Error| OddPayload(error.to_string());
        let payload: Value = serde_json::from_slice(body).map_err(odd)?;
        let given: Given = serde_json::from_slice(body).map_err(odd)?;
        let id = given.workflow_job.id;
        self.waiting.retain(|waiting| *waiting != id);
        self.wait_for_runner(
            Job {
                id,
                run_id: given.workflow_job.run_id,
                run_attempt: given.workflow_job.run_attempt,
                name: given.workflow_job.name,
                repository: given.repository.full_name,
                organization: given.organization.map(|account| account.login),
                enterprise: given.enterprise.map(|enterprise| enterprise.slug),
                labels: given.workflow_job.labels,
                script: script.to_owned(),
                env: BTreeMap::new(),
                status: JobStatus::Queued,
                conclusion: None,
                assigned: None,
                assignments: 0,
                taken_by: None,
                cancel: false,
                created_at: now,
                started_at: None,
                completed_at: None,
                log: String::new(),
                payload,
            },
            now,
        );
        Ok(id)
    }

    /// Leaves the webhook that tells of the job, as it stands, in the outbox. Returns whether there is such a job.
    pub(crate) fn tell(&mut self, id: u64) -> bool {
        self.announce(id);
        self.jobs.contains_key(&id)
    }

    /// The body of the webhook that tells of the job as it stands.
    pub(crate) fn payload(&self, id: u64) -> Option<Vec<u8>> {
        let job = self.jobs.get(&id)?;
        serde_json::to_vec(&document(job, job.status.as_str())).ok()
    }

    fn wait_for_runner(&mut self, job: Job, now: OffsetDateTime) {
        self.waiting.push(job.id);
        self.jobs.insert(job.id, job);
        self.assign(now);
    }
}

/// The body of a webhook about a job.
pub(super) fn document(job: &Job, action: &str) -> Value {
    let mut payload = job.payload.clone();
    payload["action"] = json!(action);
    let it = &mut payload["workflow_job"];
    it["status"] = json!(job.status.as_str());
    it["conclusion"] = json!(job.conclusion.map(Conclusion::as_str));
    if let Some(at) = job.started_at {
        it["started_at"] = json!(moment(at));
    }
    it["completed_at"] = json!(job.completed_at.map(moment));
    if let Some(runner) = &job.taken_by {
        it["runner_id"] = json!(runner.id);
        it["runner_name"] = json!(runner.name);
        it["runner_group_id"] = json!(runner.group_id);
        it["runner_group_name"] = json!(runner.group_name);
        it["steps"] = json!([{
            "name": "Set up job",
            "status": if job.completed_at.is_some() { "completed" } else { "in_progress" },
            "conclusion": job.completed_at.map(|_| "success"),
            "number": 1,
            "started_at": job.started_at.map(moment),
            "completed_at": job.completed_at.map(moment),
        }]);
    } else if job.status == JobStatus::Completed {
        // A job that no runner took has none, which GitHub says in this way.
        it["runner_id"] = json!(0);
        it["runner_name"] = json!("");
        it["runner_group_id"] = json!(0);
        it["runner_group_name"] = json!("");
    }
    payload
}

/// A time as GitHub writes it, in whole seconds.
pub(crate) fn moment(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}
