//! What GitHub says of the credential itself.

use std::collections::BTreeMap;

use reqwest::{Method, header::HeaderMap};
use serde::Deserialize;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Github, GithubError, call::Call, rate_limit};
use crate::model::Scope;

/// What kind of token it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenKind {
    /// A classic one, with these scopes.
    Classic(Vec<String>),
    /// A fine-grained one. GitHub does not say what it may do.
    FineGrained,
    /// That of a GitHub App's installation.
    Installation,
}

/// How the credential stands at GitHub.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// What kind of token it is.
    pub kind: TokenKind,
    /// When the token ends, if GitHub says so.
    pub expires_at: Option<OffsetDateTime>,
    /// How many calls an hour it is granted.
    pub limit: u64,
    /// How many are left of these.
    pub remaining: u64,
    /// When all of them are there again.
    pub reset_at: OffsetDateTime,
    /// How far GitHub's clock is ahead of this machine's, to the second; nothing if it did not say what time it is.
    pub ahead: Option<Duration>,
}

/// What a GitHub App is allowed, and told of, wherever it is installed.
#[derive(Clone, Debug, Deserialize)]
pub struct AppFacts {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its permissions, such as `administration`: `write`.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// The events that its hook has.
    #[serde(default)]
    pub events: Vec<String>,
}

#[derive(Deserialize)]
struct RateLimit {
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    core: Core,
}

#[derive(Deserialize)]
struct Core {
    limit: u64,
    remaining: u64,
    reset: i64,
}

impl Github {
    /// How the token stands that is used for calls about `at`. Costs nothing of the limit.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn standing(&self, at: &Scope) -> Result<Standing, GithubError> {
        let mut call = Call::about_nowhere(Method::GET, "ask for the rate limit", "/rate_limit");
        call.at = at.clone();
        let answer = self.send(&call).await?;
        if !answer.status.is_success() {
            return Err(answer.refused(&call));
        }
        let RateLimit { resources: Resources { core } } = answer.read(&call)?;
        let now = OffsetDateTime::now_utc();
        Ok(Standing {
            kind: if self.app().is_some() { TokenKind::Installation } else { kind(&answer.headers) },
            expires_at: expires_at(&answer.headers),
            limit: core.limit,
            remaining: core.remaining,
            reset_at: OffsetDateTime::from_unix_timestamp(core.reset).unwrap_or(now),
            ahead: rate_limit::date(&answer.headers).map(|date| Duration::seconds((date - now).whole_seconds())),
        })
    }

    /// What the GitHub App is allowed.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::NoCredential`] where it is no App that calls.
    pub async fn app_facts(&self) -> Result<AppFacts, GithubError> {
        let app = self.app().ok_or(GithubError::NoCredential)?;
        self.fetch_as(app, &Call::about_nowhere(Method::GET, "read about the GitHub App", "/app")).await
    }
}

/// Only answers to classic tokens say what they may do, be it nothing.
fn kind(headers: &HeaderMap) -> TokenKind {
    let Some(scopes) = headers.get("x-oauth-scopes") else { return TokenKind::FineGrained };
    let scopes = scopes.to_str().unwrap_or_default().split(',').map(str::trim).filter(|scope| !scope.is_empty());
    TokenKind::Classic(scopes.map(str::to_owned).collect())
}

/// Reads `2026-03-22 00:19:38 UTC`; an offset in place of `UTC` is GitHub's own, and none.
fn expires_at(headers: &HeaderMap) -> Option<OffsetDateTime> {
    let text = headers.get("github-authentication-token-expiration")?.to_str().ok()?;
    let (day, hour) = text.get(..19)?.split_once(' ')?;
    OffsetDateTime::parse(&format!("{day}T{hour}Z"), &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_a_classic_one_if_the_answer_has_its_scopes_even_none() {
        let classic = |scopes: &[&str]| TokenKind::Classic(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        assert_eq!(kind(&headers(&[("x-oauth-scopes", "repo, admin:org")])), classic(&["repo", "admin:org"]));
        assert_eq!(kind(&headers(&[("x-oauth-scopes", "")])), classic(&[]));
        assert_eq!(kind(&headers(&[])), TokenKind::FineGrained);
    }

    #[test]
    fn the_end_of_a_token_is_read_as_github_writes_it() {
        let end = |text| expires_at(&headers(&[("github-authentication-token-expiration", text)]));
        assert_eq!(end("2026-03-22 00:19:38 UTC").unwrap().unix_timestamp(), 1_774_138_778);
        assert_eq!(end("2026-03-22 00:19:38 +0000"), end("2026-03-22 00:19:38 UTC"));
        assert_eq!((end("soon"), expires_at(&headers(&[]))), (None, None));
    }
}
