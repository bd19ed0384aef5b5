//! A job as GitHub's API has it, in the words of a webhook.

use std::borrow::Cow;

use shared::{
    github::{Job, JobStatus},
    model::{DeliveryId, JobId, Origin},
    workflow_job::{Action, Enterprise, Installation, Organization, Repository, WorkflowJob, WorkflowJobEvent},
};

/// What a webhook would say of the job as it stands; `None` when there is nothing to say, or no runner of ours could have
/// labels such as the job's.
pub(super) fn event<'a>(job: &'a Job, origin: &'a Origin) -> Option<WorkflowJobEvent<'a>> {
    let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
    Some(WorkflowJobEvent {
        action: action(job.status)?,
        workflow_job: WorkflowJob {
            id: job.id,
            run_id: job.run_id,
            run_attempt: job.run_attempt.unwrap_or(1),
            name: Cow::Borrowed(&job.name),
            workflow_name: text(&job.workflow_name),
            html_url: text(&job.html_url),
            labels: job.demands()?,
            conclusion: text(&job.conclusion),
            runner_id: job.runner_id,
            runner_name: text(&job.runner_name),
        },
        repository: Repository { full_name: origin.repository.clone() },
        organization: text(&origin.organization).map(|login| Organization { login }),
        enterprise: text(&origin.enterprise).map(|slug| Enterprise { slug }),
        installation: origin.installation.map(|id| Installation { id }),
    })
}

fn action(status: JobStatus) -> Option<Action> {
    match status {
        JobStatus::Queued => Some(Action::Queued),
        JobStatus::InProgress => Some(Action::InProgress),
        JobStatus::Completed => Some(Action::Completed),
        _ => None,
    }
}

/// Stands for the delivery that never came, which would have said so. It is the same each time, so what follows from it follows
/// once.
pub(super) fn delivery(job: JobId, says: &str) -> Option<DeliveryId> {
    format!("reconcile:{job}:{says}").parse().ok()
}

/// What the delivery says of a job that has come so far.
pub(super) fn word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::InProgress => "in_progress",
        _ => "completed",
    }
}

/// The same, and never again.
pub(super) fn unique(word: &str) -> String {
    format!("{word}:{:08x}", fastrand::u32(..))
}
