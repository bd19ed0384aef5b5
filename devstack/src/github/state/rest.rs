//! Jobs and runs, as the API shows them.

use serde_json::{Value, json};

use super::{State, document, job::Job, names::same};

impl State {
    /// A job of a repository.
    pub(crate) fn job_document(&self, repository: &str, id: u64) -> Option<Value> {
        self.jobs.get(&id).filter(|job| same(&job.repository, repository)).map(of_job)
    }

    /// The jobs of a run.
    pub(crate) fn run_jobs(&self, repository: &str, run_id: u64) -> Option<Vec<Value>> {
        let jobs: Vec<Value> = self.jobs_of(repository).filter(|job| job.run_id == run_id).map(of_job).collect();
        (!jobs.is_empty()).then_some(jobs)
    }

    /// The runs of a repository, the youngest first; those of one status, if it is given.
    pub(crate) fn runs(&self, repository: &str, status: Option<&str>) -> Vec<Value> {
        let mut ids: Vec<u64> = self.jobs_of(repository).map(|job| job.run_id).collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.dedup();
        let runs = ids.into_iter().map(|id| self.run(repository, id));
        runs.filter(|run| status.is_none_or(|status| run["status"] == status)).collect()
    }

    fn run(&self, repository: &str, id: u64) -> Value {
        let jobs: Vec<&Job> = self.jobs_of(repository).filter(|job| job.run_id == id).collect();
        let first = jobs.first();
        // A run is queued as long as no job of it has begun, and in progress until the last has ended.
        let begun = jobs.iter().filter(|job| job.status != super::JobStatus::Queued).count();
        let ended = jobs.iter().filter(|job| job.status == super::JobStatus::Completed).count();
        let status = match (begun, ended) {
            (0, _) => "queued",
            (_, ended) if ended == jobs.len() => "completed",
            _ => "in_progress",
        };
        json!({
            "id": id,
            "name": first.map(|job| job.payload["workflow_job"]["workflow_name"].clone()),
            "run_attempt": jobs.iter().map(|job| job.run_attempt).max(),
            "event": "push",
            "status": status,
            "head_branch": first.map(|job| job.payload["workflow_job"]["head_branch"].clone()),
            "head_sha": first.map(|job| job.payload["workflow_job"]["head_sha"].clone()),
            "repository": first.map(|job| job.payload["repository"].clone()),
        })
    }

    fn jobs_of<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a Job> {
        self.jobs.values().filter(move |job| same(&job.repository, repository))
    }
}

fn of_job(job: &Job) -> Value {
    document(job, job.status.as_str())["workflow_job"].clone()
}
