//! What is asked of GitHub.

use std::fmt::{self, Write as _};

use reqwest::Method;

use super::{BaseUrl, permission::Permission};
use crate::model::Scope;

/// What kinds of calls there are: the kind of each call is one of these.
pub const ENDPOINTS: [&str; 14] = [
    "POST actions/runners/generate-jitconfig",
    "POST actions/runners/registration-token",
    "GET actions/runners",
    "DELETE actions/runners/*",
    "GET actions/runner-groups",
    "GET actions/jobs/*",
    "GET actions/runs",
    "GET actions/runs/*/jobs",
    "GET hooks/*/deliveries",
    "POST hooks/*/deliveries/*/attempts",
    "GET app/hook/deliveries",
    "POST app/hook/deliveries/*/attempts",
    "GET installation",
    "POST app/installations/*/access_tokens",
];

/// One call: what it is for, and how it is made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What it does, to follow the word "cannot".
    purpose: String,
    pub(super) method: Method,
    /// Below the base of the API, beginning with a slash.
    path: String,
    pub(super) body: Option<serde_json::Value>,
    /// What it is about: an App has a token for each account.
    pub(super) at: Scope,
    /// What the token must be allowed to do.
    pub(super) permission: Permission,
}

impl Call {
    pub(super) fn new(method: Method, purpose: String, path: String, at: Scope, permission: Permission) -> Self {
        Self { purpose, method, path, body: None, at, permission }
    }

    /// A call about the runners of `scope`: `below` is what stands behind `/actions/` in its path.
    pub(super) fn about_runners(method: Method, purpose: &str, scope: &Scope, below: &str) -> Self {
        let path = match scope {
            Scope::Repository(repository) => format!("/repos/{repository}/actions/{below}"),
            Scope::Organization(login) => format!("/orgs/{login}/actions/{below}"),
            Scope::Enterprise(slug) => format!("/enterprises/{slug}/actions/{below}"),
        };
        Self::new(method, format!("{purpose} at {scope}"), path, scope.clone(), Permission::to_run_at(scope))
    }

    /// A call that is about no account: an App makes it for itself, or it is about the token.
    pub(super) fn about_nowhere(method: Method, purpose: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(method, purpose.into(), path.into(), Scope::Organization(String::new()), Permission::NONE)
    }

    pub(super) fn with_body(mut self, body: serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn with_query(mut self, name: &str, value: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(name);
        self.path.push('=');
        escape(value, &mut self.path);
        self
    }

    /// What kind of call it is, without names and numbers: `DELETE actions/runners/*`.
    pub(super) fn endpoint(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        let mut parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let names = match parts[0] {
            "repos" => 3,
            "orgs" | "enterprises" => 2,
            _ => 0,
        };
        parts.drain(..names.min(parts.len()));
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = parts.into_iter().map(|part| if number(part) { "*" } else { part }).collect();
        format!("{} {}", self.method, parts.join("/"))
    }

    /// Where it registers a runner, if that is what it does.
    pub(super) fn registers(&self) -> Option<&Scope> {
        self.path.ends_with("/generate-jitconfig").then_some(&self.at)
    }

    /// The account that it is about.
    pub(super) fn account(&self) -> String {
        match &self.at {
            Scope::Repository(repository) => repository.owner().to_ascii_lowercase(),
            Scope::Organization(login) => login.to_ascii_lowercase(),
            Scope::Enterprise(slug) => slug.to_ascii_lowercase(),
        }
    }

    /// Its address.
    pub(super) fn url(&self, api: &BaseUrl) -> String {
        format!("{api}{}", self.path)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.purpose)
    }
}

/// Appends `value` so that it is one value of a query, whatever is in it: names of runners may be any text.
fn escape(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(scope: &str) -> String {
        let call = Call::about_runners(Method::GET, "list runners", &scope.parse().unwrap(), "runners");
        call.with_query("per_page", "100").with_query("name", "a&b=ü c").url(&"http://api".parse().unwrap())
    }

    #[test]
    fn each_scope_has_its_path_and_a_name_stays_in_its_place() {
        let query = "per_page=100&name=a%26b%3D%C3%BC%20c";
        assert_eq!(url("octo/repo"), format!("http://api/repos/octo/repo/actions/runners?{query}"));
        assert_eq!(url("octo"), format!("http://api/orgs/octo/actions/runners?{query}"));
        assert_eq!(url("enterprises/octo"), format!("http://api/enterprises/octo/actions/runners?{query}"));
    }
}
