//! Runner groups of organizations and enterprises.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::model::Scope;

use super::names::same;

/// The id of a runner group. That of `Default`, which is everywhere, is 1.
pub type GroupId = u64;

/// The group that every organization and enterprise has, and that stands for a repository.
pub(super) const DEFAULT: GroupId = 1;

/// A runner group, as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) name: String,
    pub(crate) visibility: &'static str,
    pub(crate) default: bool,
    pub(crate) allows_public_repositories: bool,
    pub(crate) inherited: bool,
    /// Only jobs of these repositories; of all without.
    #[serde(skip)]
    repositories: Option<Vec<String>>,
}

impl Group {
    fn default_group() -> Self {
        Self::new(DEFAULT, "Default", None)
    }

    fn new(id: GroupId, name: &str, repositories: Option<Vec<String>>) -> Self {
        Self {
            id,
            name: name.to_owned(),
            visibility: if repositories.is_some() { "selected" } else { "all" },
            default: id == DEFAULT,
            allows_public_repositories: true,
            inherited: false,
            repositories,
        }
    }

    pub(super) fn allows(&self, repository: &str) -> bool {
        self.repositories.as_ref().is_none_or(|allowed| allowed.iter().any(|one| same(one, repository)))
    }
}

/// The groups besides the default ones.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<String, Vec<Group>>, GroupId);

impl Groups {
    pub(super) fn add(&mut self, scope: &Scope, name: &str, repositories: Option<Vec<String>>) -> GroupId {
        self.1 += 1;
        let id = DEFAULT + self.1;
        self.0.entry(key(scope)).or_default().push(Group::new(id, name, repositories));
        id
    }

    pub(super) fn of(&self, scope: &Scope) -> Vec<Group> {
        let others = self.0.get(&key(scope)).cloned().unwrap_or_default();
        std::iter::once(Group::default_group()).chain(others).collect()
    }

    pub(super) fn by_id(&self, scope: &Scope, id: GroupId) -> Option<Group> {
        self.of(scope).into_iter().find(|group| group.id == id)
    }

    pub(super) fn by_name(&self, scope: &Scope, name: &str) -> Option<Group> {
        self.of(scope).into_iter().find(|group| same(&group.name, name))
    }
}

fn key(scope: &Scope) -> String {
    scope.to_string().to_ascii_lowercase()
}
