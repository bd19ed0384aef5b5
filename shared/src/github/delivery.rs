//! The deliveries of webhooks, as GitHub remembers them: for three days.

use std::fmt;

use reqwest::{Method, header::LINK};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{Github, GithubError, answer::Answer, call::Call, permission::Permission};
use crate::model::{DeliveryId, RepositoryName, Scope};

/// How many deliveries a page has.
const PER_PAGE: &str = "100";

/// A hook whose deliveries can be asked for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Hook {
    /// A repository's, by its id.
    Repository(RepositoryName, u64),
    /// An organization's, by its id.
    Organization(String, u64),
    /// The GitHub App's own, which only itself may ask for.
    App,
}

/// One attempt at a delivery.
#[derive(Clone, Debug, Deserialize)]
pub struct HookDelivery {
    /// GitHub's id of this attempt.
    pub id: u64,
    /// The delivery's GUID, which all attempts at it share.
    pub guid: DeliveryId,
    /// When it was made, by GitHub's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub delivered_at: OffsetDateTime,
    /// The status that it was answered with; 0 if it was not answered.
    #[serde(default)]
    pub status_code: u16,
    /// The event, such as `workflow_job`.
    pub event: String,
    /// What happened, such as `queued`.
    #[serde(default)]
    pub action: Option<String>,
}

impl HookDelivery {
    /// Whether it was taken.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(repository, id) => write!(f, "hook {id} of {repository}"),
            Self::Organization(login, id) => write!(f, "hook {id} of {login}"),
            Self::App => f.write_str("the GitHub App's hook"),
        }
    }
}

impl Hook {
    /// A call about it: `below` is what stands behind its own path.
    pub(super) fn call(&self, method: Method, purpose: &str, below: &str) -> Call {
        let purpose = format!("{purpose} {self}");
        let (path, at) = match self {
            Self::Repository(repository, id) => {
                (format!("/repos/{repository}/hooks/{id}"), Some(Scope::Repository(repository.clone())))
            }
            Self::Organization(login, id) => {
                (format!("/orgs/{login}/hooks/{id}"), Some(Scope::Organization(login.clone())))
            }
            Self::App => ("/app/hook".to_owned(), None),
        };
        let path = format!("{path}{below}");
        match at {
            Some(at) => {
                let permission = Permission::to_hook_at(&at);
                Call::new(method, purpose, path, at, permission)
            }
            None => Call::about_nowhere(method, purpose, path),
        }
    }
}

impl Github {
    /// A page of a hook's deliveries, the youngest first, and where the next page begins, if there is one. `from` is
    /// where this one does; the first begins nowhere.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn deliveries(
        &self,
        hook: &Hook,
        from: Option<&str>,
    ) -> Result<(Vec<HookDelivery>, Option<String>), GithubError> {
        let mut call = hook.call(Method::GET, "list the deliveries of", "/deliveries").with_query("per_page", PER_PAGE);
        if let Some(cursor) = from {
            call = call.with_query("cursor", cursor);
        }
        let answer = self.ask_about(hook, &call).await?;
        let next = answer.headers.get(LINK).and_then(|link| next(link.to_str().ok()?));
        Ok((answer.read(&call)?, next))
    }

    /// Has a delivery made again, by the id of one attempt at it. It keeps its GUID.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn redeliver(&self, hook: &Hook, attempt: u64) -> Result<(), GithubError> {
        let call = hook.call(Method::POST, "ask for a redelivery of", &format!("/deliveries/{attempt}/attempts"));
        self.ask_about(hook, &call).await.map(drop)
    }

    pub(super) async fn ask_about(&self, hook: &Hook, call: &Call) -> Result<Answer, GithubError> {
        let answer = match (hook, self.app()) {
            (Hook::App, Some(app)) => self.answer_to(app, call).await?,
            (Hook::App, None) => return Err(GithubError::NoCredential),
            _ => self.send(call).await?,
        };
        if answer.status.is_success() { Ok(answer) } else { Err(answer.refused(call)) }
    }
}

/// Where the next page begins, by the `Link` header.
fn next(link: &str) -> Option<String> {
    let link = link.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (address, _) = link.trim().strip_prefix('<')?.split_once('>')?;
    let (_, query) = address.split_once('?')?;
    let mut query = form_urlencoded::parse(query.as_bytes());
    query.find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_begins_where_github_says() {
        let link =
            "<https://api.github.com/repositories/1/hooks/2/deliveries?per_page=100&cursor=v1_12%2B>; rel=\"next\"";
        assert_eq!(next(link).as_deref(), Some("v1_12+"));
        let both = format!("<https://api.github.com/x?cursor=other>; rel=\"first\", {link}");
        assert_eq!(next(&both).as_deref(), Some("v1_12+"));
        for none in ["", "<https://api.github.com/x?cursor=1>; rel=\"prev\"", "rel=\"next\"", "<x>; rel=\"next\""] {
            assert_eq!(next(none), None, "{none}");
        }
    }

    #[test]
    fn an_attempt_is_what_every_one_has() {
        let attempt: HookDelivery = serde_json::from_str(
            r#"{"id":12345678,"guid":"0b989ba4-242f-11e5-81e1-c7b6966d2516","delivered_at":"2019-06-03T00:57:16Z",
                "redelivery":false,"duration":0.27,"status":"timed out","event":"workflow_job","action":"queued",
                "installation_id":null,"repository_id":123}"#,
        )
        .unwrap();
        assert!(!attempt.succeeded());
        assert!(HookDelivery { status_code: 202, ..attempt }.succeeded());
    }
}
