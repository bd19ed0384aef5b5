//! What a token must be allowed to do, and what it lacks when GitHub refuses a call.

use std::fmt;

use reqwest::header::HeaderMap;

use super::auth::Holder;
use crate::model::Scope;

/// The most characters of a header that are repeated in an error.
const NAMED_CHARS_MAX: usize = 200;

/// A permission, by the names that GitHub has for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Permission {
    /// The scope of a classic token.
    classic: &'static str,
    /// The permission of a fine-grained token; `None` where such tokens cannot have it.
    fine_grained: Option<&'static str>,
}

impl Permission {
    /// What an App needs for calls that it makes for itself.
    pub(super) const NONE: Self = Self { classic: "", fine_grained: None };

    /// To read a repository's jobs.
    pub(super) const READ_JOBS: Self = Self { classic: "repo", fine_grained: Some("Actions: read") };

    /// To make hooks, see what became of their deliveries, and have them made again.
    pub(super) fn to_hook_at(scope: &Scope) -> Self {
        let classic = if matches!(scope, Scope::Repository(_)) { "admin:repo_hook" } else { "admin:org_hook" };
        Self { classic, fine_grained: Some("Webhooks: write") }
    }

    /// To register and delete runners at `scope`.
    pub(super) fn to_run_at(scope: &Scope) -> Self {
        match scope {
            Scope::Repository(_) => Self { classic: "repo", fine_grained: Some("Administration: write") },
            Scope::Organization(_) => Self { classic: "admin:org", fine_grained: Some("Self-hosted runners: write") },
            Scope::Enterprise(_) => Self { classic: "manage_runners:enterprise", fine_grained: None },
        }
    }
}

/// What the token lacks for a call that GitHub refused.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Lack {
    /// This permission, as GitHub names it or by the names of both kinds of token.
    Permission(String),
    /// This permission of a GitHub App.
    AppPermission(String),
    /// A GitHub App is not where it is to act, or is not who it says.
    Installation,
    /// No scope: the token has what is needed, but whoever made it may not do this there.
    OwnersRights,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission(name) => write!(f, "the token needs {name}"),
            Self::AppPermission(name) => write!(
                f,
                "the GitHub App needs {name}; whoever installed it is then asked to accept that, and the App must be \
                 allowed to see the repository"
            ),
            Self::Installation => f.write_str(
                "the GitHub App that AUTOSCALER_GITHUB_APP_ID names must be installed there, see the repository, and not \
                 be suspended",
            ),
            Self::OwnersRights => f.write_str("the token's owner has no right to do this there"),
        }
    }
}

/// Finds out from an answer what the token lacks. GitHub names what it would have taken in headers; where it does not,
/// it is what the documentation says.
pub(super) fn lack(headers: &HeaderMap, needed: Permission, holder: Holder) -> Lack {
    if holder == Holder::App {
        return Lack::Installation;
    }
    if holder == Holder::Installation {
        let named = text(headers, "x-accepted-github-permissions").map(cut);
        let name = named.unwrap_or_else(|| format!("\"{}\"", needed.fine_grained.unwrap_or(needed.classic)));
        return Lack::AppPermission(format!("the permission {name}"));
    }
    // Only answers to classic tokens say what they may do.
    if let Some(granted) = list(headers, "x-oauth-scopes") {
        let accepted = list(headers, "x-accepted-oauth-scopes").unwrap_or_default();
        let accepted = if accepted.is_empty() { vec![needed.classic] } else { accepted };
        if accepted.iter().any(|scope| granted.contains(scope)) {
            return Lack::OwnersRights;
        }
        return Lack::Permission(cut(&format!("the scope {}", accepted.join(" or "))));
    }
    if let Some(named) = text(headers, "x-accepted-github-permissions") {
        return Lack::Permission(cut(&format!("the permission {named}")));
    }
    if let Some(accepted) = list(headers, "x-accepted-oauth-scopes").filter(|accepted| !accepted.is_empty()) {
        return Lack::Permission(cut(&format!("the scope {}", accepted.join(" or "))));
    }
    Lack::Permission(match needed.fine_grained {
        Some(permission) => {
            format!("the scope {} (classic) or the permission \"{permission}\" (fine-grained)", needed.classic)
        }
        None => format!("the scope {}; only a classic token can have it", needed.classic),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

/// What a header lists, separated by commas; `None` without that header.
fn list<'a>(headers: &'a HeaderMap, name: &str) -> Option<Vec<&'a str>> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect())
}

fn cut(text: &str) -> String {
    text.chars().take(NAMED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(scope: &str, headers: &[(&'static str, &'static str)]) -> String {
        let headers = headers.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        lack(&headers, Permission::to_run_at(&scope.parse().unwrap()), Holder::PersonalAccessToken).to_string()
    }

    #[test]
    fn the_permission_is_the_one_that_github_names() {
        assert_eq!(
            said("octo", &[("x-accepted-github-permissions", "organization_self_hosted_runners=write")]),
            "the token needs the permission organization_self_hosted_runners=write"
        );
        let classic = [("x-oauth-scopes", "gist, read:org"), ("x-accepted-oauth-scopes", "admin:org, admin:x")];
        assert_eq!(said("octo", &classic), "the token needs the scope admin:org or admin:x");
        let both = [("x-oauth-scopes", ""), ("x-accepted-github-permissions", "administration=write")];
        assert_eq!(said("octo/repo", &both), "the token needs the scope repo");
        assert_eq!(said("octo", &[("x-accepted-oauth-scopes", "admin:org")]), "the token needs the scope admin:org");
    }

    #[test]
    fn a_token_that_has_the_scope_is_not_told_to_get_it() {
        let granted = [("x-oauth-scopes", "repo, workflow"), ("x-accepted-oauth-scopes", "repo")];
        assert!(said("octo/repo", &granted).contains("owner has no right"));
        assert!(said("octo/repo", &granted[..1]).contains("owner has no right"));
    }

    #[test]
    fn where_github_names_none_it_is_that_of_the_scope() {
        for (scope, words) in [
            ("octo/repo", ["the scope repo (classic)", "\"Administration: write\""]),
            ("octo", ["the scope admin:org (classic)", "\"Self-hosted runners: write\""]),
            ("enterprises/octo", ["the scope manage_runners:enterprise", "only a classic token"]),
        ] {
            let said = said(scope, &[]);
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        }
    }
}
