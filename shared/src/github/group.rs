//! Runner groups. Organizations and enterprises have them; a runner of a repository is in none but the default one.

use std::{
    collections::HashMap,
    sync::PoisonError,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde::Deserialize;

use super::{Github, GithubError, call::Call};
use crate::model::Scope;

/// The id of the group that every scope has, and its name.
const DEFAULT_ID: u64 = 1;
const DEFAULT_NAME: &str = "Default";
/// How long the id of a group is taken for true.
const KNOWN_FOR: Duration = Duration::from_mins(10);
/// The most groups that a page has, and the most pages that are read.
const PER_PAGE: usize = 100;
const PAGES_MAX: usize = 50;

/// The ids of groups, by where they are and what they are called, and when each was learnt.
pub(super) type Groups = HashMap<(Scope, String), (u64, Instant)>;

#[derive(Deserialize)]
struct Page {
    runner_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    id: u64,
    name: String,
}

impl Github {
    /// The id of the group `name`, in any case, at `scope`.
    pub(super) async fn group_id(&self, scope: &Scope, name: &str) -> Result<u64, GithubError> {
        if matches!(scope, Scope::Repository(_)) || name.eq_ignore_ascii_case(DEFAULT_NAME) {
            return Ok(DEFAULT_ID);
        }
        let key = (scope.clone(), name.to_ascii_lowercase());
        let known = self.groups().lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some((id, _)) = known.filter(|(_, learnt)| learnt.elapsed() < KNOWN_FOR) {
            return Ok(id);
        }
        let id = self.find_group(scope, name).await?;
        self.groups().lock().unwrap_or_else(PoisonError::into_inner).insert(key, (id, Instant::now()));
        Ok(id)
    }

    /// Forgets the id of a group: a call that used it was refused, so it may have been made anew under another.
    pub(super) fn forget_group(&self, scope: &Scope, name: &str) {
        let key = (scope.clone(), name.to_ascii_lowercase());
        self.groups().lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    async fn find_group(&self, scope: &Scope, name: &str) -> Result<u64, GithubError> {
        for page in 1..=PAGES_MAX {
            let call = Call::about_runners(Method::GET, "list runner groups", scope, "runner-groups")
                .with_query("per_page", &PER_PAGE.to_string())
                .with_query("page", &page.to_string());
            let groups = self.fetch::<Page>(&call).await?.runner_groups;
            if let Some(group) = groups.iter().find(|group| group.name.eq_ignore_ascii_case(name)) {
                return Ok(group.id);
            }
            if groups.len() < PER_PAGE {
                break;
            }
        }
        Err(GithubError::NoSuchGroup { group: name.to_owned(), scope: scope.clone() })
    }
}
