//! Where a job comes from, and where its runner registers by that.

use serde::{Deserialize, Serialize};

use super::{Invalid, Pool, RepositoryName, Scope, ScopeKind};

/// What a webhook was set up for (`X-GitHub-Hook-Installation-Target-Type`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HookTarget {
    /// A repository.
    Repository,
    /// An organization.
    Organization,
    /// An enterprise, which GitHub calls `business`.
    Enterprise,
    /// A GitHub App, which GitHub calls `integration`.
    App,
}

/// Where the route that was delivered to has runners register.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisterAt {
    /// `/webhook`: where the hook belongs.
    HookTarget,
    /// `/webhook/repo/docker`.
    Repository,
    /// `/webhook/org/docker`.
    Organization,
}

/// Where the jobs of a repository come from: all that a webhook says of them besides the jobs. What it is remembered by
/// is its JSON: fields may be added with a default, never renamed.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
pub struct Origin {
    /// The repository.
    pub repository: RepositoryName,
    /// The organization that it belongs to, if any; as GitHub says it, unchecked.
    #[serde(default)]
    pub organization: Option<String>,
    /// The enterprise that it belongs to, by its slug, if any; unchecked.
    #[serde(default)]
    pub enterprise: Option<String>,
    /// The GitHub App's installation that the webhook came through, if it was an App's.
    #[serde(default)]
    pub installation: Option<u64>,
    /// What the hook was set up for.
    pub target: HookTarget,
    /// The hook's id; none if its deliveries did not say.
    #[serde(default)]
    pub hook: Option<u64>,
    /// Where its deliveries have runners register.
    pub register_at: RegisterAt,
}

impl Origin {
    /// Where a job's runner registers: where the pool wants it, else where the route says, else where the hook belongs.
    ///
    /// # Errors
    ///
    /// Why it can register nowhere, for whoever set the hook up.
    pub fn scope(&self, pool: Option<&Pool>) -> Result<Scope, String> {
        let repository = || Ok(Scope::Repository(self.repository.clone()));
        let organization = self.organization.as_deref().map(Scope::organization);
        let enterprise = self.enterprise.as_deref().map(Scope::enterprise);
        let named = |scope: Option<Result<Scope, Invalid>>, lack: String| {
            scope.ok_or(lack)?.map_err(|invalid| invalid.to_string())
        };
        if let Some((pool, kind)) = pool.and_then(|pool| Some((&pool.name, pool.scope?))) {
            let lack = |what| format!("pool {pool} has its runners register at the {what}, and the body names none");
            return match kind {
                ScopeKind::Repository => repository(),
                ScopeKind::Organization => named(organization, lack("organization")),
                ScopeKind::Enterprise => named(enterprise, lack("enterprise")),
            };
        }
        match (self.register_at, self.target) {
            (RegisterAt::Organization, _) => {
                let lack = "this route has runners register at the organization, and the body names none; a user's \
                            repository delivers to /webhook";
                named(organization, lack.to_owned())
            }
            (RegisterAt::Repository, _) | (RegisterAt::HookTarget, HookTarget::Repository) => repository(),
            (RegisterAt::HookTarget, HookTarget::Organization) => {
                let owner = || Scope::organization(self.repository.owner());
                organization.unwrap_or_else(owner).map_err(|invalid| invalid.to_string())
            }
            (RegisterAt::HookTarget, HookTarget::Enterprise) => {
                named(enterprise, "the hook is an enterprise's, and the body names no enterprise".to_owned())
            }
            (RegisterAt::HookTarget, HookTarget::App) => match organization {
                Some(organization) => organization.map_err(|invalid| invalid.to_string()),
                None => repository(),
            },
        }
    }
}
