//! Workflow runs, and their jobs.

use reqwest::Method;
use serde::Deserialize;

use super::{Github, GithubError, Job, call::Call, permission::Permission};
use crate::model::{RepositoryName, Scope};

/// How many things a page has. One with fewer is the last.
const PER_PAGE: usize = 100;

/// Which runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RunStatus {
    /// None of their jobs has begun.
    Queued,
    /// They are under way. Some of their jobs may be queued.
    InProgress,
}

impl RunStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
        }
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there may be more on the next one.
    pub more: bool,
}

impl<T> Page<T> {
    fn of<U>(all: Vec<U>, read: impl FnMut(U) -> T) -> Self {
        Self { more: all.len() >= PER_PAGE, items: all.into_iter().map(read).collect() }
    }
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

impl Github {
    /// A page, from 1, of a repository's runs of that status: their ids, the youngest first.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn runs(
        &self,
        repository: &RepositoryName,
        status: RunStatus,
        page: usize,
    ) -> Result<Page<u64>, GithubError> {
        let call = about(repository, &format!("list runs of {repository}"), "runs", page);
        let runs: Runs = self.fetch(&call.with_query("status", status.as_str())).await?;
        Ok(Page::of(runs.workflow_runs, |run| run.id))
    }

    /// A page, from 1, of the jobs of a run's last attempt.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn run_jobs(&self, repository: &RepositoryName, run: u64, page: usize) -> Result<Page<Job>, GithubError> {
        let purpose = format!("list jobs of run {run} of {repository}");
        let call = about(repository, &purpose, &format!("runs/{run}/jobs"), page);
        let jobs: Jobs = self.fetch(&call.with_query("filter", "latest")).await?;
        Ok(Page::of(jobs.jobs, |job| job))
    }
}

fn about(repository: &RepositoryName, purpose: &str, below: &str, page: usize) -> Call {
    let path = format!("/repos/{repository}/actions/{below}");
    let at = Scope::Repository(repository.clone());
    Call::new(Method::GET, purpose.to_owned(), path, at, Permission::READ_JOBS)
        .with_query("per_page", &PER_PAGE.to_string())
        .with_query("page", &page.to_string())
}
