//! What a token may do, and how GitHub refuses what it may not.

use std::collections::BTreeSet;

use shared::model::Scope;

/// A scope of a classic token.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ClassicScope {
    /// `repo`
    Repo,
    /// `admin:org`
    AdminOrg,
    /// `manage_runners:enterprise`
    ManageRunnersEnterprise,
    /// `admin:repo_hook`
    AdminRepoHook,
    /// `admin:org_hook`
    AdminOrgHook,
}

impl ClassicScope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Repo => "repo",
            Self::AdminOrg => "admin:org",
            Self::ManageRunnersEnterprise => "manage_runners:enterprise",
            Self::AdminRepoHook => "admin:repo_hook",
            Self::AdminOrgHook => "admin:org_hook",
        }
    }
}

/// A permission of a fine-grained token.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FineGrained {
    /// *Administration*, write, of repositories.
    Administration,
    /// *Actions*, read, of repositories.
    ActionsRead,
    /// *Self-hosted runners*, write, of an organization.
    SelfHostedRunners,
    /// *Webhooks*, write, of repositories.
    Webhooks,
    /// *Webhooks*, write, of an organization.
    OrganizationWebhooks,
}

impl FineGrained {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Administration => "administration=write",
            Self::ActionsRead => "actions=read",
            Self::SelfHostedRunners => "organization_self_hosted_runners=write",
            Self::Webhooks => "repository_hooks=write",
            Self::OrganizationWebhooks => "organization_hooks=write",
        }
    }
}

#[derive(Clone, Debug)]
enum Grant {
    Classic(BTreeSet<ClassicScope>),
    FineGrained(BTreeSet<FineGrained>),
    App(BTreeSet<FineGrained>),
}

/// What a token may do, and where.
#[derive(Clone, Debug)]
pub struct Permissions {
    grant: Grant,
    only: Option<Vec<Scope>>,
}

/// What a call takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Need {
    /// To register, list and delete runners.
    Runners,
    /// To read jobs and runs.
    ReadJobs,
    /// To see what became of a hook's deliveries, and have them made again.
    Hooks,
}

/// Why a token may not make a call.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Lack {
    /// It cannot even see the repository, organization or enterprise.
    Hidden,
    /// It lacks a permission.
    Permission {
        /// GitHub's words.
        message: &'static str,
        /// Whether it is told as if there were no such place.
        not_found: bool,
    },
}

impl Permissions {
    /// A classic token with these scopes.
    pub fn classic(scopes: impl IntoIterator<Item = ClassicScope>) -> Self {
        Self { grant: Grant::Classic(scopes.into_iter().collect()), only: None }
    }

    /// A classic token with every scope.
    #[must_use]
    pub fn all() -> Self {
        use ClassicScope::{AdminOrg, AdminOrgHook, ManageRunnersEnterprise, Repo};
        Self::classic([Repo, AdminOrg, ManageRunnersEnterprise, AdminOrgHook])
    }

    /// A fine-grained token with these permissions.
    pub fn fine_grained(permissions: impl IntoIterator<Item = FineGrained>) -> Self {
        Self { grant: Grant::FineGrained(permissions.into_iter().collect()), only: None }
    }

    /// An App's installation with these permissions at `account`, and nowhere else.
    pub fn app(account: &str, permissions: impl IntoIterator<Item = FineGrained>) -> Self {
        let grant = Grant::App(permissions.into_iter().collect());
        Self { grant, only: Some(Scope::organization(account).into_iter().collect()) }
    }

    /// The same, but only there: nothing else exists for this token.
    #[must_use]
    pub fn only_at(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.only = Some(scopes.into_iter().collect());
        self
    }

    /// Whether a call at `scope` that takes `need` is allowed.
    pub(super) fn check(&self, need: Need, scope: &Scope) -> Result<(), Lack> {
        if self.only.as_ref().is_some_and(|only| !only.iter().any(|allowed| covers(allowed, scope))) {
            return Err(Lack::Hidden);
        }
        let granted = match &self.grant {
            Grant::Classic(scopes) => classic(need, scope).iter().any(|scope| scopes.contains(scope)),
            Grant::FineGrained(permissions) | Grant::App(permissions) => {
                accepted(need, scope).is_some_and(|permission| permissions.contains(&permission))
            }
        };
        if granted { Ok(()) } else { Err(self.lack(scope)) }
    }

    /// What an App may do, as GitHub shows it of the App.
    pub(super) fn document(&self) -> serde_json::Value {
        let granted = match &self.grant {
            Grant::FineGrained(permissions) | Grant::App(permissions) => permissions.clone(),
            Grant::Classic(_) => BTreeSet::new(),
        };
        let pairs = granted.iter().filter_map(|permission| permission.as_str().split_once('='));
        pairs.map(|(name, level)| (name.to_owned(), level.into())).collect::<serde_json::Map<_, _>>().into()
    }

    fn lack(&self, scope: &Scope) -> Lack {
        let message = match (&self.grant, scope) {
            (Grant::App(_), _) => "Resource not accessible by integration",
            (Grant::FineGrained(_), _) => "Resource not accessible by personal access token",
            (_, Scope::Repository(_)) => "Must have admin rights to Repository.",
            (_, Scope::Organization(_)) => {
                "You must be an org owner or have the organization runners and runner groups fine-grained permission."
            }
            (_, Scope::Enterprise(_)) => "Not Found",
        };
        Lack::Permission { message, not_found: message == "Not Found" }
    }

    /// The headers by which GitHub says what the token may do and what the call takes.
    pub(super) fn headers(&self, asked: Option<(Need, &Scope)>) -> Vec<(&'static str, String)> {
        match &self.grant {
            Grant::Classic(scopes) => {
                let granted: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                let accepted = asked.map(|(need, scope)| classic(need, scope)).unwrap_or_default();
                let accepted: Vec<&str> = accepted.iter().map(|scope| scope.as_str()).collect();
                vec![("x-oauth-scopes", granted.join(", ")), ("x-accepted-oauth-scopes", accepted.join(", "))]
            }
            Grant::FineGrained(_) | Grant::App(_) => asked
                .and_then(|(need, scope)| accepted(need, scope))
                .map(|permission| ("x-accepted-github-permissions", permission.as_str().to_owned()))
                .into_iter()
                .collect(),
        }
    }
}

/// The scopes of which one is enough.
fn classic(need: Need, scope: &Scope) -> &'static [ClassicScope] {
    match (scope, need) {
        (Scope::Repository(_), Need::Hooks) => &[ClassicScope::AdminRepoHook, ClassicScope::Repo],
        (Scope::Organization(_), Need::Hooks) => &[ClassicScope::AdminOrgHook],
        (Scope::Repository(_), _) => &[ClassicScope::Repo],
        (Scope::Organization(_), _) => &[ClassicScope::AdminOrg],
        (Scope::Enterprise(_), _) => &[ClassicScope::ManageRunnersEnterprise],
    }
}

/// Fine-grained tokens can do nothing at an enterprise.
fn accepted(need: Need, scope: &Scope) -> Option<FineGrained> {
    match (scope, need) {
        (Scope::Repository(_), Need::Runners) => Some(FineGrained::Administration),
        (Scope::Repository(_), Need::ReadJobs) => Some(FineGrained::ActionsRead),
        (Scope::Repository(_), Need::Hooks) => Some(FineGrained::Webhooks),
        (Scope::Organization(_), Need::Hooks) => Some(FineGrained::OrganizationWebhooks),
        (Scope::Organization(_), _) => Some(FineGrained::SelfHostedRunners),
        (Scope::Enterprise(_), _) => None,
    }
}

/// An organization or user stands for its repositories.
fn covers(allowed: &Scope, scope: &Scope) -> bool {
    let owner = match (allowed, scope) {
        (Scope::Organization(_), Scope::Repository(repository)) => repository.owner().to_owned(),
        _ => scope.to_string(),
    };
    allowed.to_string().eq_ignore_ascii_case(&owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn each_scope_takes_its_own_permission() {
        let repository = Permissions::classic([ClassicScope::Repo]);
        assert_eq!(repository.check(Need::Runners, &scope("o/r")), Ok(()));
        let message =
            "You must be an org owner or have the organization runners and runner groups fine-grained permission.";
        let lack = Lack::Permission { message, not_found: false };
        assert_eq!(repository.check(Need::Runners, &scope("o")), Err(lack));
        assert!(Permissions::all().check(Need::Runners, &scope("enterprises/e")).is_ok());

        let fine = Permissions::fine_grained([FineGrained::Administration]);
        assert!(fine.check(Need::Runners, &scope("o/r")).is_ok());
        assert!(fine.check(Need::ReadJobs, &scope("o/r")).is_err());
        assert!(fine.check(Need::Runners, &scope("enterprises/e")).is_err());
    }

    #[test]
    fn a_token_for_one_place_does_not_see_another() {
        let one = Permissions::all().only_at([scope("octo")]);
        assert!(one.check(Need::Runners, &scope("Octo/any")).is_ok());
        assert_eq!(one.check(Need::Runners, &scope("other/any")), Err(Lack::Hidden));
    }
}
