//! A job that has ended, by its record: whether GitHub has it in its queue all the same.

use shared::{
    github::{Github, GithubError, JobStatus},
    model::RepositoryName,
    queue::JobRecord,
    telemetry::chain,
};

use crate::config::{RECONCILE_EVERY, Settings};

/// Says so if it does: its runner had another job then, of which no webhook ever came. Nothing without a credential, for an end on record is
/// nearly always right, and a command that reads needs none.
pub(super) async fn explain(settings: &Settings, job: &JobRecord) -> Option<String> {
    let repository = job.repository.as_ref()?;
    match queued(settings, job, repository).await {
        Ok(true) => {
            let every = settings.worker.reconcile_seconds;
            let (who, after) = if every.is_zero() {
                (
                    "No worker compares the queue with GitHub (WORKER_RECONCILE_SECONDS is 0); worker reconcile",
                    RECONCILE_EVERY,
                )
            } else {
                ("The comparison with GitHub", every)
            };
            Some(format!(
                "But GitHub has it in its queue: its runner must have had another job, of which no webhook came. {who} opens it again \
                 once its end is {} s ago.",
                after.as_secs()
            ))
        }
        Ok(false) | Err(GithubError::NoCredential) => None,
        Err(error) => Some(format!("Whether GitHub agrees is not known: {}.", chain(&error))),
    }
}

async fn queued(settings: &Settings, job: &JobRecord, repository: &RepositoryName) -> Result<bool, GithubError> {
    let github = Github::new(&settings.github)?;
    Ok(github.job(repository, job.id).await?.status == JobStatus::Queued)
}
