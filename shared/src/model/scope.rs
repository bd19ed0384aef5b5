//! Where a runner registers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Invalid, ids::plain, text_type};

/// `owner/repository`, as in `repository.full_name`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

impl RepositoryName {
    /// The part before the slash: a user or an organization.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(owner, _)| owner)
    }
}

impl FromStr for RepositoryName {
    type Err = Invalid;

    /// The name becomes part of paths of GitHub's API, so nothing is let in that could leave its place.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (owner, name) =
            text.split_once('/').ok_or_else(|| Invalid::new("a repository", format!("is OWNER/NAME, not {text:?}")))?;
        account("a repository's owner", owner)?;
        plain("a repository's name", name, 100, "-_.")?;
        if name == "." || name == ".." {
            return Err(Invalid::new("a repository's name", "is not a dot or two"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_type!(RepositoryName);

/// Where a runner registers: it then takes jobs of that repository, or of all repositories of
/// that organization or enterprise that its runner group allows.
///
/// Written `owner/repository`, `organization` or `enterprises/slug`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// One repository.
    Repository(RepositoryName),
    /// An organization, by its login.
    Organization(String),
    /// An enterprise, by its slug.
    Enterprise(String),
}

/// GitHub's web address has this as its first part, so no account can be called so.
const ENTERPRISES: &str = "enterprises/";

impl Scope {
    /// An organization's scope.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `login` cannot be an account's name.
    pub fn organization(login: &str) -> Result<Self, Invalid> {
        account("an organization", login).map(Self::Organization)
    }

    /// An enterprise's scope.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `slug` cannot be an enterprise's name.
    pub fn enterprise(slug: &str) -> Result<Self, Invalid> {
        account("an enterprise", slug).map(Self::Enterprise)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(name) => name.fmt(f),
            Self::Organization(login) => f.write_str(login),
            Self::Enterprise(slug) => write!(f, "{ENTERPRISES}{slug}"),
        }
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(slug) = text.strip_prefix(ENTERPRISES) {
            return Self::enterprise(slug);
        }
        if text.contains('/') {
            return text.parse().map(Self::Repository);
        }
        Self::organization(text)
    }
}

impl TryFrom<String> for Scope {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// The name of a user, organization or enterprise. `_` appears in those of managed users.
fn account(what: &'static str, text: &str) -> Result<String, Invalid> {
    plain(what, text, 100, "-_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_as_it_was_written() {
        for text in ["octo-org/octo.repo", "octo-org", "enterprises/octo"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_a_path() {
        for text in
            ["", "/", "a/", "/b", "a/..", "a/.", "a/b/c", "a/b?c", "a/b%2f", "a b/c", "..", "enterprises/", "a/b\n"]
        {
            assert!(text.parse::<Scope>().is_err(), "{text:?} was taken");
        }
    }
}
