//! The runners that GitHub knows.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tracing::{debug, warn};

use super::{Github, GithubError, call::Call};
use crate::model::{RunnerId, RunnerName, Scope};

/// The most runners that a page has.
const PER_PAGE: usize = 100;
/// The most pages that are read: as many as the largest runner group fills.
const PAGES_MAX: usize = 100;

/// A runner, as GitHub knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Runner {
    /// Its id.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
    /// Whether it is connected.
    pub status: RunnerStatus,
    /// Whether it runs a job. May be stale: what the runner itself prints is the truth.
    pub busy: bool,
}

/// Whether a runner is connected to GitHub.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunnerStatus {
    /// It is.
    Online,
    /// It is not, or not yet.
    Offline,
    /// A word that this program does not know.
    #[default]
    #[serde(other)]
    Other,
}

/// What became of a registration that was to be deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deleted {
    /// It is deleted.
    Deleted,
    /// There was none, or the token does not see it.
    Gone,
    /// Its runner has a job: it was left.
    Busy,
}

#[derive(Deserialize)]
struct Page {
    runners: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: RunnerId,
    name: String,
    #[serde(default)]
    status: RunnerStatus,
    #[serde(default)]
    busy: bool,
}

impl Listed {
    /// `None` for a name that no runner of ours has: somebody else's runner is no reason to fail.
    fn runner(self) -> Option<Runner> {
        match self.name.parse() {
            Ok(name) => Some(Runner { id: self.id, name, status: self.status, busy: self.busy }),
            Err(error) => {
                debug!(runner.id = %self.id, %error, "A runner at GitHub is passed over");
                None
            }
        }
    }
}

impl Github {
    /// The runner of exactly this name at `scope`, if there is one.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn find_runner(&self, scope: &Scope, name: &RunnerName) -> Result<Option<Runner>, GithubError> {
        // Older servers do not know the filter and list all runners, so there may be more pages.
        for page in 1..=PAGES_MAX {
            let call = page_call(&format!("look for runner {name}"), scope, page).with_query("name", name.as_str());
            let listed = self.fetch::<Page>(&call).await?.runners;
            let last = listed.len() < PER_PAGE;
            let found = listed.into_iter().find(|listed| listed.name == name.as_str());
            if found.is_some() || last {
                return Ok(found.and_then(Listed::runner));
            }
        }
        Ok(None)
    }

    /// All runners at `scope`: several calls where there are more than a hundred. A runner that comes or goes meanwhile
    /// may be missing or listed twice.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn list_runners(&self, scope: &Scope) -> Result<Vec<Runner>, GithubError> {
        let mut runners = Vec::new();
        for page in 1..=PAGES_MAX {
            let listed = self.fetch::<Page>(&page_call("list runners", scope, page)).await?.runners;
            let last = listed.len() < PER_PAGE;
            runners.extend(listed.into_iter().filter_map(Listed::runner));
            if last {
                return Ok(runners);
            }
        }
        warn!(%scope, runners = runners.len(), "There are more runners at GitHub than are read");
        Ok(runners)
    }

    /// Deletes a runner's registration. May be repeated.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn delete_runner(&self, scope: &Scope, id: RunnerId) -> Result<Deleted, GithubError> {
        let call = Call::about_runners(Method::DELETE, &format!("delete runner {id}"), scope, &format!("runners/{id}"));
        let answer = self.send(&call).await?;
        match answer.status {
            status if status.is_success() => Ok(Deleted::Deleted),
            StatusCode::NOT_FOUND => Ok(Deleted::Gone),
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Deleted::Busy),
            _ => Err(answer.refused(&call)),
        }
    }
}

fn page_call(purpose: &str, scope: &Scope, page: usize) -> Call {
    Call::about_runners(Method::GET, purpose, scope, "runners")
        .with_query("per_page", &PER_PAGE.to_string())
        .with_query("page", &page.to_string())
}
