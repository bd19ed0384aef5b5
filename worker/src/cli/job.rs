//! `worker job ID`

use anyhow::Context as _;
use clap::Args;
use shared::{
    model::JobId,
    queue::{Event, JobRecord, PostMortem},
};

use super::table::{aligned, moment};
use crate::config::Settings;

/// Shows all that is known of a job.
#[derive(Args, Debug)]
pub(super) struct Job {
    /// GitHub's id of the job: the last number in the address of its page
    id: JobId,
}

impl Job {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let record = settings.queue.job(self.id).await?;
        let record = record.with_context(|| {
            let days = settings.queue.config().keep_days.as_secs() / 86_400;
            format!("job {} is not known: it never came, or it ended more than {days} days ago", self.id)
        })?;
        anstream::println!("{}", if json { serde_json::to_string(&record)? } else { sheet(&record) });
        Ok(())
    }
}

/// What there is to say of a job, and what happened to it.
fn sheet(job: &JobRecord) -> String {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let facts = [
        ("job", job.id.to_string()),
        ("state", job.state.to_string()),
        ("reason", job.reason.clone()),
        ("pool", text(job.pool.as_ref().map(ToString::to_string))),
        ("repository", text(job.repository.as_ref().map(ToString::to_string))),
        ("scope", text(job.scope.as_ref().map(ToString::to_string))),
        ("labels", job.labels.to_string()),
        ("runner", text(job.runner.as_ref().map(ToString::to_string))),
        ("worker", text(job.worker.as_ref().map(ToString::to_string))),
        ("attempts", job.attempts.to_string()),
        ("replays", job.replays.to_string()),
        ("error", text(job.error.clone())),
        ("runner's end", text(job.post_mortem.as_ref().map(end))),
        ("first error", text(job.first_error.clone().filter(|first| job.error.as_ref() != Some(first)))),
    ];
    let facts: Vec<[String; 2]> = facts
        .into_iter()
        .filter(|(_, value)| value != "-" && !value.is_empty())
        .map(|(name, value)| [name.to_owned(), value])
        .collect();
    let log = job.post_mortem.as_ref().map(log).unwrap_or_default();
    format!("{}\n{}{log}", aligned(&facts, &[]), aligned(&timeline(&job.events), &[])).trim_end().to_owned()
}

/// What happened to a job, a row for each.
pub(super) fn timeline(events: &[Event]) -> Vec<[String; 3]> {
    events.iter().map(|event| [moment(event.at), event.what.clone(), event.detail.clone()]).collect()
}

/// How a runner's container ended.
fn end(ended: &PostMortem) -> String {
    let facts = [
        Some(format!("{}: exit code {}", ended.runner, ended.exit_code)),
        ended.signal.map(|signal| format!("signal {signal}")),
        ended.oom.then(|| "out of memory".to_owned()),
        ended.seconds.map(|seconds| format!("after {seconds} s")),
        ended.image.as_ref().map(|image| format!("image {image}")),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a runner that failed printed last.
fn log(ended: &PostMortem) -> String {
    if ended.log.is_empty() {
        return String::new();
    }
    format!("\nthe last lines of {}:\n{}\n", ended.runner, ended.log.join("\n"))
}
