//! `worker explain ID|URL`

use std::str::FromStr;

use clap::Args;
use shared::{
    model::{JobId, RepositoryName},
    queue::{Explanation, Reason},
};

use super::{job::timeline, still_queued, table::aligned, undelivered};
use crate::config::Settings;

/// Says why a job is where it is.
#[derive(Args, Debug)]
pub(super) struct Explain {
    /// GitHub's id of the job, or the address of its page: the id is the last number in it
    #[arg(value_name = "ID|URL")]
    job: JobAt,
}

/// A job, and where it is if that was said.
#[derive(Clone, Debug)]
struct JobAt {
    id: JobId,
    repository: Option<RepositoryName>,
}

impl FromStr for JobAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((_scheme, address)) = text.split_once("://") else {
            let id = text.parse().map_err(|error| format!("{error}; or give the address of its page"))?;
            return Ok(Self { id, repository: None });
        };
        let path = address.split(['?', '#']).next().unwrap_or(address);
        let mut parts = path.split('/').filter(|part| !part.is_empty()).skip(1);
        // A page is HOST/OWNER/REPO/…, the API is HOST/repos/OWNER/REPO/… or HOST/api/v3/repos/….
        let parts: Vec<&str> = parts.by_ref().collect();
        let parts = parts.iter().position(|part| *part == "repos").map_or(&parts[..], |at| &parts[at + 1..]);
        let [owner, name, .., last_but_one, last] = parts else {
            return Err("is no address of a job's page, such as https://github.com/O/R/actions/runs/1/job/2".to_owned());
        };
        if !["job", "jobs"].contains(last_but_one) {
            return Err(
                "is the address of a run, or of something else: open the job itself, its address ends in /job/ID"
                    .to_owned(),
            );
        }
        let repository = format!("{owner}/{name}").parse().map_err(|error| format!("{error}"))?;
        Ok(Self { id: last.parse().map_err(|error| format!("{error}"))?, repository: Some(repository) })
    }
}

impl Explain {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let id = self.job.id;
        let mut explanation = settings.queue.explain(id).await?;
        let github = match explanation.reason {
            Reason::UnknownJob => {
                Some(Box::pin(undelivered::explain(settings, id, self.job.repository.as_ref())).await)
            }
            Reason::Done => match settings.queue.job(id).await? {
                Some(job) => Box::pin(still_queued::explain(settings, &job)).await,
                None => None,
            },
            _ => None,
        };
        if let Some(github) = github {
            explanation.text = format!("{} {github}", explanation.text);
        }
        anstream::println!("{}", if json { serde_json::to_string(&explanation)? } else { sheet(&explanation) });
        Ok(())
    }
}

fn sheet(explanation: &Explanation) -> String {
    let Explanation { id, state, text, events, .. } = explanation;
    let state = state.map_or_else(|| "unknown".to_owned(), |state| state.to_string());
    format!("Job {id} is {state}. {text}\n\n{}", aligned(&timeline(events), &[])).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_its_id_or_by_its_page() {
        for (text, repository) in [
            ("42", None),
            ("https://github.com/octo/hello/actions/runs/7/job/42", Some("octo/hello")),
            ("https://github.com/octo/hello/actions/runs/7/job/42?pr=3#step:2:1", Some("octo/hello")),
            ("https://ghes.example.com/octo/hello/runs/7/jobs/42", Some("octo/hello")),
            ("https://api.github.com/repos/octo/hello/actions/jobs/42", Some("octo/hello")),
            ("https://ghes.example.com/api/v3/repos/octo/hello/actions/jobs/42/", Some("octo/hello")),
        ] {
            let at: JobAt = text.parse().unwrap();
            assert_eq!(at.id.get(), 42, "{text}");
            assert_eq!(at.repository.map(|name| name.to_string()).as_deref(), repository, "{text}");
        }
        for text in
            ["", "x", "0", "https://github.com/octo/hello/actions/runs/7", "https://github.com", "https://h/o/r/job/x"]
        {
            assert!(text.parse::<JobAt>().is_err(), "{text}");
        }
    }
}
