//! Webhooks: what there are, and how one is made, corrected and removed.

use std::{fmt, str::FromStr};

use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{Github, GithubError, Hook, call::Call, permission::Permission};
use crate::model::{Invalid, Scope};

/// The event that jobs are told of by.
const EVENT: &str = "workflow_job";
/// The event that stands for all events.
const ALL_EVENTS: &str = "*";
/// How many webhooks a page has; a place has 20 of an event at most.
const PER_PAGE: usize = 100;
const PAGES_MAX: usize = 5;

/// Where deliveries go: `http` or `https`, without user and password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayloadUrl(String);

impl FromStr for PayloadUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = |problem: &str| Err(Invalid::new("a webhook's URL", problem));
        match Url::parse(text.trim()) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => refused("begins with https://"),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                refused("has no user or password in it")
            }
            // As it was written: it is compared with what GitHub has.
            Ok(_) => Ok(Self(text.trim().to_owned())),
            Err(_) => refused("is where GitHub delivers, such as https://YOUR-HOST/webhook"),
        }
    }
}

impl fmt::Display for PayloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A webhook of a repository or an organization, as GitHub has it.
#[derive(Clone, Debug, Deserialize)]
pub struct Webhook {
    /// GitHub's id of it.
    pub id: u64,
    /// Whether it delivers.
    pub active: bool,
    /// The events that it delivers.
    #[serde(default)]
    pub events: Vec<String>,
    /// Where it delivers, and how.
    pub config: WebhookConfig,
    /// How its last delivery was answered, where GitHub says so in its list: for repositories.
    #[serde(default)]
    pub last_response: Option<LastResponse>,
}

/// Where a webhook delivers, and how. Its secret cannot be read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WebhookConfig {
    /// Where it delivers.
    pub url: String,
    /// `json` or `form`.
    pub content_type: String,
    /// Whether it delivers to a host whose certificate is not valid (`insecure_ssl`).
    #[serde(rename = "insecure_ssl", deserialize_with = "is_one")]
    pub is_insecure: bool,
    /// Stars, if it has one.
    secret: Option<String>,
}

/// How a webhook's last delivery was answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LastResponse {
    /// The status; none if there was no answer, or no delivery.
    pub code: Option<u16>,
    /// A word for it, such as `active` or `unused`.
    #[serde(default)]
    pub status: Option<String>,
    /// What the matter was.
    #[serde(default)]
    pub message: Option<String>,
}

/// A webhook as it is to be: active, in JSON, of workflow jobs alone, to a host with a valid certificate.
#[derive(Clone, Debug)]
pub struct HookSettings {
    /// Where it delivers.
    pub url: PayloadUrl,
    /// What deliveries are signed with.
    pub secret: SecretString,
}

/// What is not as it is to be about a webhook.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HookChange {
    /// It is not active.
    Active,
    /// It delivers no workflow jobs, or other things as well.
    Events,
    /// It delivers forms.
    ContentType,
    /// It does not mind whose certificate it is.
    InsecureSsl,
    /// It has no secret.
    Secret,
    /// It delivers elsewhere.
    Url,
}

impl fmt::Display for HookChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Events => "events",
            Self::ContentType => "content type",
            Self::InsecureSsl => "insecure_ssl",
            Self::Secret => "secret",
            Self::Url => "URL",
        })
    }
}

impl Webhook {
    /// Whether it delivers workflow jobs, if it is active.
    #[must_use]
    pub fn has_jobs(&self) -> bool {
        self.events.iter().any(|event| event == EVENT || event == ALL_EVENTS)
    }

    /// What is not as it is to be. Whether its secret is the right one cannot be seen.
    #[must_use]
    pub fn wrong(&self) -> Vec<HookChange> {
        let of_its_own = [(!self.active, HookChange::Active), (self.events != [EVENT], HookChange::Events)];
        let wrong = of_its_own.into_iter().filter_map(|(is_wrong, what)| is_wrong.then_some(what));
        wrong.chain(self.config.wrong()).collect()
    }
}

impl WebhookConfig {
    /// What is not as it is to be.
    #[must_use]
    pub fn wrong(&self) -> Vec<HookChange> {
        let all = [
            (self.content_type != "json", HookChange::ContentType),
            (self.is_insecure, HookChange::InsecureSsl),
            (self.secret.is_none(), HookChange::Secret),
        ];
        all.into_iter().filter_map(|(is_wrong, what)| is_wrong.then_some(what)).collect()
    }
}

impl HookSettings {
    fn config(&self) -> Value {
        json!({
            "url": self.url.to_string(),
            "content_type": "json",
            "secret": self.secret.expose_secret(),
            "insecure_ssl": "0",
        })
    }
}

impl Hook {
    /// The webhook of this id at `scope`; none of an enterprise, whose hooks GitHub's API does not have.
    #[must_use]
    pub fn at(scope: &Scope, id: u64) -> Option<Self> {
        match scope {
            Scope::Repository(repository) => Some(Self::Repository(repository.clone(), id)),
            Scope::Organization(login) => Some(Self::Organization(login.clone(), id)),
            Scope::Enterprise(_) => None,
        }
    }
}

impl Github {
    /// The webhooks of a repository or an organization.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::NoHooksOfEnterprises`] of an enterprise.
    pub async fn webhooks(&self, at: &Scope) -> Result<Vec<Webhook>, GithubError> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let call = about_hooks(Method::GET, "list the webhooks", at)?
                .with_query("per_page", &PER_PAGE.to_string())
                .with_query("page", &page.to_string());
            let found: Vec<Webhook> = self.fetch(&call).await?;
            let more = found.len() == PER_PAGE;
            all.extend(found);
            if !more {
                break;
            }
        }
        Ok(all)
    }

    /// Makes a webhook. GitHub then sends it a ping.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; with status 422, there is one with that URL already.
    pub async fn add_webhook(&self, at: &Scope, settings: &HookSettings) -> Result<Webhook, GithubError> {
        let call = about_hooks(Method::POST, "make a webhook", at)?;
        let body = json!({ "name": "web", "active": true, "events": [EVENT], "config": settings.config() });
        self.fetch(&call.with_body(body)).await
    }

    /// Makes a webhook what it is to be, its secret included.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn correct_webhook(&self, hook: &Hook, settings: &HookSettings) -> Result<(), GithubError> {
        let call = match hook {
            // Which events it has cannot be set from here.
            Hook::App => hook.call(Method::PATCH, "correct", "/config").with_body(settings.config()),
            _ => hook.call(Method::PATCH, "correct", "").with_body(json!({
                "active": true, "events": [EVENT], "config": settings.config(),
            })),
        };
        self.ask_about(hook, &call).await.map(drop)
    }

    /// Removes a webhook. One that is gone is no error.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn remove_webhook(&self, hook: &Hook) -> Result<(), GithubError> {
        self.ask_about(hook, &hook.call(Method::DELETE, "remove", "")).await.map(drop)
    }

    /// Has a webhook deliver a ping. An App's own cannot.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn ping_webhook(&self, hook: &Hook) -> Result<(), GithubError> {
        self.ask_about(hook, &hook.call(Method::POST, "ping", "/pings")).await.map(drop)
    }

    /// Where the GitHub App's own webhook delivers; nothing where it has none.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::NoCredential`] where it is no App that calls.
    pub async fn app_webhook(&self) -> Result<Option<WebhookConfig>, GithubError> {
        let call = Hook::App.call(Method::GET, "read", "/config");
        match self.ask_about(&Hook::App, &call).await {
            Ok(answer) => answer.read(&call).map(|config: WebhookConfig| Some(config).filter(|it| !it.url.is_empty())),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND.as_u16()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn about_hooks(method: Method, purpose: &str, at: &Scope) -> Result<Call, GithubError> {
    let path = match at {
        Scope::Repository(repository) => format!("/repos/{repository}/hooks"),
        Scope::Organization(login) => format!("/orgs/{login}/hooks"),
        Scope::Enterprise(slug) => return Err(GithubError::NoHooksOfEnterprises { slug: slug.clone() }),
    };
    Ok(Call::new(method, format!("{purpose} of {at}"), path, at.clone(), Permission::to_hook_at(at)))
}

/// GitHub writes a number, in quotes or without.
fn is_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value == json!("1") || value == json!(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(changed: &Value) -> Webhook {
        let mut hook = json!({
            "type": "Repository", "id": 12_345_678, "name": "web", "active": true, "events": ["workflow_job"],
            "config": { "content_type": "json", "insecure_ssl": "0", "url": "https://h/webhook", "secret": "********" },
            "last_response": { "code": null, "status": "unused", "message": null },
        });
        for (key, value) in changed.as_object().unwrap() {
            match value {
                Value::Object(inner) => hook[key].as_object_mut().unwrap().extend(inner.clone()),
                value => hook[key] = value.clone(),
            }
        }
        serde_json::from_value(hook).unwrap()
    }

    #[test]
    fn what_is_wrong_about_a_webhook_is_seen() {
        assert_eq!(webhook(&json!({})).wrong(), []);
        for (changed, wrong) in [
            (json!({ "active": false }), HookChange::Active),
            (json!({ "events": ["*"] }), HookChange::Events),
            (json!({ "events": ["workflow_job", "push"] }), HookChange::Events),
            (json!({ "config": { "content_type": "form" } }), HookChange::ContentType),
            (json!({ "config": { "insecure_ssl": "1" } }), HookChange::InsecureSsl),
            (json!({ "config": { "insecure_ssl": 1 } }), HookChange::InsecureSsl),
            (json!({ "config": { "secret": null } }), HookChange::Secret),
        ] {
            assert_eq!(webhook(&changed).wrong(), [wrong], "{changed}");
        }
        assert!(webhook(&json!({ "events": ["*"] })).has_jobs() && !webhook(&json!({ "events": ["push"] })).has_jobs());
    }

    #[test]
    fn a_payload_url_is_kept_as_it_was_written() {
        assert_eq!("https://h.example/webhook".parse::<PayloadUrl>().unwrap().to_string(), "https://h.example/webhook");
        for odd in ["", "h.example/webhook", "ftp://h/webhook", "https://u:hush@h/webhook", "https://"] {
            let refused = odd.parse::<PayloadUrl>().expect_err(odd).to_string();
            assert!(!refused.contains("hush"), "{refused}");
        }
    }
}
