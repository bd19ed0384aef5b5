//! Where a job's runner registers.

use shared::model::{DeliveryId, Invalid, Pool, Scope, ScopeKind};

use super::{delivery::HookTarget, event::WorkflowJobEvent};

/// Where the route that was delivered to has runners register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RegisterAt {
    /// `/webhook`: where the hook belongs.
    HookTarget,
    /// `/webhook/repo/docker`.
    Repository,
    /// `/webhook/org/docker`.
    Organization,
}

/// What is known of a delivery besides its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook<'a> {
    pub(super) delivery: &'a DeliveryId,
    pub(super) target: HookTarget,
    pub(super) register_at: RegisterAt,
}

/// Where the job's runner registers: where the pool wants it, else where the route says, else where the hook belongs.
pub(super) fn scope(event: &WorkflowJobEvent<'_>, hook: Hook<'_>, pool: Option<&Pool>) -> Result<Scope, String> {
    let repository = || Ok(Scope::Repository(event.repository.full_name.clone()));
    let organization = event.organization.as_ref().map(|organization| Scope::organization(&organization.login));
    let enterprise = event.enterprise.as_ref().map(|enterprise| Scope::enterprise(&enterprise.slug));
    let named =
        |scope: Option<Result<Scope, Invalid>>, lack: String| scope.ok_or(lack)?.map_err(|invalid| invalid.to_string());
    if let Some((pool, kind)) = pool.and_then(|pool| Some((&pool.name, pool.scope?))) {
        let lack = |what| format!("pool {pool} has its runners register at the {what}, and the body names none");
        return match kind {
            ScopeKind::Repository => repository(),
            ScopeKind::Organization => named(organization, lack("organization")),
            ScopeKind::Enterprise => named(enterprise, lack("enterprise")),
        };
    }
    match (hook.register_at, hook.target) {
        (RegisterAt::Organization, _) => {
            let lack = "this route has runners register at the organization, and the body names none; a user's \
                        repository delivers to /webhook";
            named(organization, lack.to_owned())
        }
        (RegisterAt::Repository, _) | (RegisterAt::HookTarget, HookTarget::Repository) => repository(),
        (RegisterAt::HookTarget, HookTarget::Organization) => {
            let owner = || Scope::organization(event.repository.full_name.owner());
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
