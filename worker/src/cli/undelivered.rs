//! What is known of a job that never came: what GitHub says of it, and whether the comparison with GitHub would find it.

use std::time::Duration;

use futures_util::future::join_all;
use shared::{
    github::{Github, GithubError, Job, JobStatus},
    model::{JobId, RepositoryName},
    queue::{Memo, QueueError},
    telemetry::chain,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::config::Settings;

/// How many repositories are asked for a job whose own was not said: those of which a webhook came last.
const ASKED_MAX: usize = 10;

/// Says what is known of the job, in sentences.
pub(super) async fn explain(settings: &Settings, id: JobId, named: Option<&RepositoryName>) -> String {
    let (said, repository) = ask(settings, id, named).await;
    let sweep = match &repository {
        Some((repository, since)) => match sweep(settings, repository, *since).await {
            Ok(sweep) => sweep.text(repository),
            Err(error) => {
                format!("Whether the comparison with GitHub has seen its repository is not known: {}.", chain(&error))
            }
        },
        None => String::new(),
    };
    format!("{said} {sweep}").trim_end().to_owned()
}

/// What GitHub says of it; and its repository, with since when it waits there, if it does.
async fn ask(
    settings: &Settings,
    id: JobId,
    named: Option<&RepositoryName>,
) -> (String, Option<(RepositoryName, Option<OffsetDateTime>)>) {
    let asked = match Github::new(&settings.github) {
        Ok(github) => github,
        Err(GithubError::NoCredential) => {
            let needs = "GitHub cannot be asked for it, for there is no credential here: set AUTOSCALER_GITHUB_PAT, with the scope repo \
                         (classic) or Actions: read (fine-grained), or a GitHub App's id and key with Actions: read.";
            return (needs.to_owned(), named.map(|repository| (repository.clone(), None)));
        }
        Err(error) => return (format!("GitHub cannot be asked for it: {}.", chain(&error)), None),
    };
    let Some(repository) = named else { return search(settings, &asked, id).await };
    match asked.job(repository, id).await {
        Ok(job) => (of_github(&job, settings, repository), Some((repository.clone(), waits_since(&job)))),
        Err(error) => (format!("GitHub was asked for it: {}.", chain(&error)), Some((repository.clone(), None))),
    }
}

/// Asks the repositories of which a webhook came last.
async fn search(
    settings: &Settings,
    github: &Github,
    id: JobId,
) -> (String, Option<(RepositoryName, Option<OffsetDateTime>)>) {
    let seen = settings.queue.seen().await.unwrap_or_default().origins;
    let asked = seen.iter().take(ASKED_MAX).map(|origin| async move {
        github.job(&origin.repository, id).await.ok().map(|job| (job, origin.repository.clone()))
    });
    let found = join_all(asked).await.into_iter().flatten().next();
    if let Some((job, repository)) = found {
        let said = format!("It is one of {repository}. {}", of_github(&job, settings, &repository));
        return (said, Some((repository, waits_since(&job))));
    }
    let asked = seen.len().min(ASKED_MAX);
    let said = format!(
        "None of the {asked} repositories of which a webhook came last has it. Give the address of its page, and GitHub is asked for it."
    );
    (said, None)
}

fn waits_since(job: &Job) -> Option<OffsetDateTime> {
    job.created_at.filter(|_| job.status == JobStatus::Queued)
}

/// What follows from what GitHub says of a job that the queue does not know.
fn of_github(job: &Job, settings: &Settings, repository: &RepositoryName) -> String {
    match job.status {
        JobStatus::Queued => {
            let since = job.created_at.map(|at| format!(" since {}", moment(at))).unwrap_or_default();
            let routed = job.demands().map(|labels| {
                let pools = settings.pools.all();
                (
                    pools.route(&labels, repository).map(|pool| pool.name.clone()).map_err(|error| error.to_string()),
                    labels,
                )
            });
            let covered = match routed {
                Some((Ok(pool), labels)) => format!("pool {pool} covers its labels, {labels}"),
                Some((Err(unrouted), _)) => unrouted,
                None => "no runner can have its labels".to_owned(),
            };
            format!(
                "At GitHub it is queued{since}, so its delivery failed, or there is no webhook: see Recent Deliveries there. By pools.toml as \
                 it is here, {covered}."
            )
        }
        JobStatus::InProgress => match &job.runner_name {
            Some(runner) => format!("At GitHub it runs, on {runner}."),
            None => "At GitHub it runs.".to_owned(),
        },
        JobStatus::Completed => {
            format!("At GitHub it has ended: {}.", job.conclusion.as_deref().unwrap_or("without a conclusion"))
        }
        JobStatus::Waiting => "At GitHub it waits for an approval, and is delivered once it has that.".to_owned(),
        _ => "GitHub has it in a state that is not known here.".to_owned(),
    }
}

/// How the comparison with GitHub stands to a repository.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Sweep {
    /// Whether a webhook of it came in the last 7 days: only then it is looked at.
    is_known: bool,
    /// When it was looked at.
    looked: Option<OffsetDateTime>,
    /// Since when the job waits at GitHub, if it does.
    since: Option<OffsetDateTime>,
    /// How long after one comparison the next one is made; never, if that is nothing.
    every: Duration,
}

async fn sweep(
    settings: &Settings,
    repository: &RepositoryName,
    since: Option<OffsetDateTime>,
) -> Result<Sweep, QueueError> {
    let name = repository.as_str().to_ascii_lowercase();
    let origins = settings.queue.seen().await?.origins;
    let is_known = origins.iter().any(|origin| origin.repository.as_str().eq_ignore_ascii_case(&name));
    let looked = settings.queue.memos(Memo::RepositoryLooks).await?.get(&name).copied();
    let looked = looked.map(|millis| OffsetDateTime::UNIX_EPOCH + Duration::from_millis(millis));
    Ok(Sweep { is_known, looked, since, every: settings.worker.reconcile_seconds })
}

impl Sweep {
    fn text(self, repository: &RepositoryName) -> String {
        if !self.is_known {
            return format!(
                "The comparison with GitHub does not look at {repository}, for no webhook of it has come in 7 days: worker doctor --repo \
                 {repository} tells what is wrong with its webhook."
            );
        }
        let every = if self.every.is_zero() {
            "by the settings here no worker looks again (WORKER_RECONCILE_SECONDS is 0): worker reconcile does"
                .to_owned()
        } else {
            format!("the next look follows {} s after the last, or at once with worker reconcile", self.every.as_secs())
        };
        let Some(looked) = self.looked else {
            return format!("The comparison with GitHub has not looked at {repository} yet; {every}.");
        };
        let seen = match self.since {
            Some(since) if since < looked => {
                ", when the job was queued already: if it is not in the queue, a look failed (worker reconcile says why), or no pool takes it"
            }
            Some(_) => ", before the job was queued",
            None => "",
        };
        format!("The comparison with GitHub looked at {repository} last at {}{seen}; {every}.", moment(looked))
    }
}

fn moment(at: OffsetDateTime) -> String {
    at.truncate_to_second().format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn what_the_comparison_with_github_has_seen_is_told() {
        let text = |sweep: Sweep| sweep.text(&"octo/hello".parse().unwrap());
        let every = Duration::from_mins(5);
        let known = Sweep { is_known: true, looked: None, since: Some(NOW), every };
        assert!(text(Sweep { is_known: false, ..known }).contains("worker doctor --repo octo/hello"));
        assert!(text(known).contains("has not looked at octo/hello yet; the next look follows 300 s after"));
        let after = text(Sweep { looked: Some(NOW + Duration::from_secs(1)), ..known });
        assert!(after.contains("last at 1970-01-01T00:00:01Z, when the job was queued already"), "{after}");
        let before = text(Sweep { looked: Some(NOW - Duration::from_secs(1)), ..known });
        assert!(before.contains("before the job was queued"), "{before}");
        assert!(text(Sweep { every: Duration::ZERO, ..known }).contains("no worker looks again"));
    }
}
