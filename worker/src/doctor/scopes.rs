//! Where runners register, as far as it is known: by `pools.toml`, and by the webhooks that came.

use std::collections::HashSet;

use shared::model::{Allowed, Origin, Pools, Scope, ScopeKind};

/// A place where runners register.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) scope: Scope,
    /// Whether it is only likely: the owner that a pool serves may be a user, and then it is each of the repositories.
    pub(super) is_guess: bool,
}

impl Place {
    /// One that is certain.
    pub(super) fn at(scope: Scope) -> Self {
        Self { scope, is_guess: false }
    }
}

/// The places, those in front of which a webhook came last. `seen`: where webhooks came from.
pub(super) fn places(pools: &Pools, seen: &[Origin]) -> Vec<Place> {
    let of_origin = |origin: &Origin| {
        let serving = pools.iter().filter(|pool| pool.serves(&origin.repository));
        serving.filter_map(|pool| origin.scope(Some(pool)).ok()).map(Place::at).collect::<Vec<_>>()
    };
    let mut places: Vec<Place> = seen.iter().flat_map(of_origin).collect();
    let known_owners: HashSet<String> = seen.iter().map(|origin| lower(origin.repository.owner())).collect();
    for pool in pools {
        places.extend(pool.scopes.iter().filter_map(|allowed| match (allowed, pool.scope) {
            (Allowed::Repository(name), None | Some(ScopeKind::Repository)) => {
                Some(Place::at(Scope::Repository(name.clone())))
            }
            (Allowed::Repository(name), Some(ScopeKind::Organization)) => {
                Scope::organization(name.owner()).ok().map(Place::at)
            }
            (Allowed::Owner(owner), Some(ScopeKind::Organization)) => Scope::organization(owner).ok().map(Place::at),
            // By its webhooks it is known better.
            (Allowed::Owner(owner), None) if !known_owners.contains(&lower(owner)) => {
                Some(Place { scope: Scope::organization(owner).ok()?, is_guess: true })
            }
            // Which repositories, or which enterprise, is not said.
            (Allowed::Owner(_), _) | (Allowed::Repository(_), Some(ScopeKind::Enterprise)) => None,
        }));
    }
    let mut known = HashSet::new();
    places.retain(|place| known.insert(lower(&place.scope.to_string())));
    places
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use shared::{
        model::{HookTarget, RegisterAt},
        settings::Environment,
    };

    use super::*;

    fn pools(text: &str) -> Pools {
        let (_, default) = shared::pools::load(&mut Environment::of::<String, String>([]));
        Pools::parse(text, default.now().iter().next().unwrap()).unwrap()
    }

    fn named(pools: &Pools, seen: &[Origin]) -> Vec<(String, bool)> {
        places(pools, seen).into_iter().map(|place| (place.scope.to_string(), place.is_guess)).collect()
    }

    #[test]
    fn places_are_those_of_the_pools_and_those_that_webhooks_came_from_each_once() {
        let two = pools(
            "[[pool]]\nname = 'a'\nscopes = ['octo/hello', 'acme', 'Octo/Hello']\n\
             [[pool]]\nname = 'b'\nscopes = ['big/one', 'corp']\nscope = 'organization'",
        );
        let of_pools = [("octo/hello", false), ("acme", true), ("big", false), ("corp", false)];
        let of_pools = of_pools.map(|(name, is_guess)| (name.to_owned(), is_guess));
        assert_eq!(named(&two, &[]), of_pools);

        let origin = |repository: &str, target| Origin {
            repository: repository.parse().unwrap(),
            organization: None,
            enterprise: None,
            installation: None,
            target,
            hook: None,
            register_at: RegisterAt::HookTarget,
        };
        let seen = [origin("acme/x", HookTarget::Repository), origin("elsewhere/y", HookTarget::Repository)];
        let named: Vec<String> = named(&two, &seen).into_iter().map(|(name, _)| name).collect();
        assert_eq!(named, ["acme/x", "octo/hello", "big", "corp"], "acme is a user, and no pool serves elsewhere");
    }
}
