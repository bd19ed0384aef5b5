//! The webhooks that there are: those that were made through the API, and the one that the stand-in was set up with.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::model::{RepositoryName, Scope};
use time::OffsetDateTime;

use super::{
    HookTarget, Webhook,
    state::{Event, Refusal, moment},
    webhook::ContentType,
};
use crate::deliver::HOOK_ID;

/// The event that a webhook has unless it is said.
const USUAL_EVENT: &str = "push";
/// What a secret reads as.
const STARS: &str = "********";

/// A webhook of a repository or an organization.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub(super) id: u64,
    place: Scope,
    active: bool,
    events: Vec<String>,
    config: Config,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

/// Where a webhook delivers, and how.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    content_type: Option<ContentType>,
    #[serde(default)]
    secret: Option<SecretString>,
    #[serde(default)]
    insecure_ssl: Option<Value>,
}

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    name: Option<String>,
    active: Option<bool>,
    events: Option<Vec<String>>,
    config: Option<Config>,
}

/// A way that an event goes: a webhook's id, and what its deliveries are like.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) hook: u64,
    pub(super) webhook: Webhook,
}

/// The webhooks that were made through the API.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    hooks: Vec<Hook>,
    made: u64,
}

impl Hooks {
    /// The webhooks of a place.
    pub(super) fn at(&self, place: &Scope) -> Vec<Hook> {
        self.hooks.iter().filter(|hook| is_same(&hook.place, place)).cloned().collect()
    }

    /// Makes one.
    pub(super) fn add(&mut self, place: &Scope, wish: Wish, now: OffsetDateTime) -> Result<Hook, Refusal> {
        let config = wish.config.unwrap_or_default();
        let events = wish.events.unwrap_or_else(|| vec![USUAL_EVENT.to_owned()]);
        if wish.name.as_deref().unwrap_or("web") != "web" {
            return Err(Refusal::Hook("name must be \"web\"".to_owned()));
        }
        let Some(url) = &config.url else { return Err(Refusal::Hook("url cannot be blank".to_owned())) };
        let overlaps = |hook: &&Hook| hook.events.iter().any(|event| events.contains(event));
        if self.at(place).iter().filter(overlaps).any(|hook| hook.config.url.as_ref() == Some(url)) {
            let what = if matches!(place, Scope::Repository(_)) { "repository" } else { "organization" };
            return Err(Refusal::Hook(format!("Hook already exists on this {what}")));
        }
        self.made += 1;
        let hook = Hook {
            id: HOOK_ID + self.made,
            place: place.clone(),
            active: wish.active.unwrap_or(true),
            events,
            config,
            created_at: now,
            updated_at: now,
        };
        self.hooks.push(hook.clone());
        Ok(hook)
    }

    /// Changes one.
    pub(super) fn change(&mut self, place: &Scope, id: u64, wish: Wish, now: OffsetDateTime) -> Result<Hook, Refusal> {
        let mut hooks = self.hooks.iter_mut();
        let hook = hooks.find(|hook| hook.id == id && is_same(&hook.place, place)).ok_or(Refusal::NotFound)?;
        hook.active = wish.active.unwrap_or(hook.active);
        hook.events = wish.events.unwrap_or_else(|| hook.events.clone());
        if let Some(config) = wish.config {
            let before = std::mem::take(&mut hook.config);
            // What is left out stays, but for the secret: that is removed.
            hook.config = Config {
                url: config.url.or(before.url),
                content_type: config.content_type.or(before.content_type),
                insecure_ssl: config.insecure_ssl.or(before.insecure_ssl),
                secret: config.secret,
            };
        }
        hook.updated_at = now;
        Ok(hook.clone())
    }

    /// Removes one. Returns whether there was such a one.
    pub(super) fn remove(&mut self, place: &Scope, id: u64) -> bool {
        let before = self.hooks.len();
        self.hooks.retain(|hook| hook.id != id || !is_same(&hook.place, place));
        self.hooks.len() < before
    }

    /// The ways that an event goes besides that of the stand-in's own webhook.
    pub(super) fn ways(&self, event: &Event) -> Vec<Way> {
        let takes = |hook: &&Hook| match event.hook {
            Some(only) => hook.id == only,
            None => hook.active && hook.covers(&event.repository) && hook.has(event.name),
        };
        self.hooks.iter().filter(takes).filter_map(Hook::way).collect()
    }
}

impl Hook {
    /// The stand-in's own webhook, where it would be found at this place.
    pub(super) fn own(webhook: &Webhook, place: &Scope) -> Option<Self> {
        let there = match (webhook.target, place) {
            (None, Scope::Repository(_) | Scope::Organization(_))
            | (Some(HookTarget::Repository), Scope::Repository(_))
            | (Some(HookTarget::Organization), Scope::Organization(_)) => true,
            (_, _) => false,
        };
        let since = OffsetDateTime::UNIX_EPOCH;
        there.then(|| Self {
            id: HOOK_ID,
            place: place.clone(),
            active: true,
            events: vec!["workflow_job".to_owned()],
            config: Config::of(webhook),
            created_at: since,
            updated_at: since,
        })
    }

    fn covers(&self, repository: &str) -> bool {
        let Ok(repository) = repository.parse::<RepositoryName>() else { return false };
        match &self.place {
            Scope::Repository(own) => own.as_str().eq_ignore_ascii_case(repository.as_str()),
            Scope::Organization(login) => login.eq_ignore_ascii_case(repository.owner()),
            Scope::Enterprise(_) => false,
        }
    }

    fn has(&self, event: &str) -> bool {
        self.events.iter().any(|known| known == event || known == "*")
    }

    fn way(&self) -> Option<Way> {
        let target =
            if matches!(self.place, Scope::Repository(_)) { HookTarget::Repository } else { HookTarget::Organization };
        let webhook = Webhook {
            url: self.config.url.clone()?,
            secret: self.config.secret.clone().unwrap_or_default(),
            content_type: self.config.content_type.unwrap_or(ContentType::Form),
            target: Some(target),
        };
        Some(Way { hook: self.id, webhook })
    }

    /// The ping that a webhook is sent.
    pub(super) fn ping(&self) -> Event {
        let mut body = json!({ "zen": "Keep it logically awesome.", "hook_id": self.id });
        if let Scope::Repository(repository) = &self.place {
            body["repository"] = json!({ "full_name": repository });
        }
        Event::ping(self.id, body.to_string().into_bytes())
    }

    /// As the API shows it; `last` is how its last delivery was answered.
    pub(super) fn document(&self, api: &str, last: Option<&Value>) -> Value {
        let (place, kind) = match &self.place {
            Scope::Repository(repository) => (format!("repos/{repository}"), "Repository"),
            scope => (format!("orgs/{scope}"), "Organization"),
        };
        let url = format!("{api}/{place}/hooks/{}", self.id);
        let mut hook = json!({
            "type": kind,
            "id": self.id,
            "name": "web",
            "active": self.active,
            "events": self.events,
            "config": self.config.document(),
            "updated_at": moment(self.updated_at),
            "created_at": moment(self.created_at),
            "url": url,
            "ping_url": format!("{url}/pings"),
            "deliveries_url": format!("{url}/deliveries"),
        });
        // Only a repository's says so.
        if kind == "Repository" {
            hook["test_url"] = json!(format!("{url}/test"));
            let unused = json!({ "code": null, "status": "unused", "message": null });
            hook["last_response"] = last.cloned().unwrap_or(unused);
        }
        hook
    }
}

impl Config {
    pub(super) fn of(webhook: &Webhook) -> Self {
        Self {
            url: Some(webhook.url.clone()),
            content_type: Some(webhook.content_type),
            secret: Some(webhook.secret.clone()),
            insecure_ssl: None,
        }
    }

    /// The webhook of an App that it describes; what is left out is as `before`.
    pub(super) fn of_app(self, before: Option<Webhook>) -> Webhook {
        let before = before.unwrap_or_else(|| Webhook::json("", ""));
        Webhook {
            url: self.url.unwrap_or(before.url),
            secret: self.secret.unwrap_or(before.secret),
            content_type: self.content_type.unwrap_or(before.content_type),
            target: Some(HookTarget::Integration),
        }
    }

    pub(super) fn document(&self) -> Value {
        let mut config = json!({
            "url": self.url,
            "content_type": self.content_type.unwrap_or(ContentType::Form),
            "insecure_ssl": self.insecure_ssl.clone().unwrap_or_else(|| json!("0")),
        });
        if self.secret.as_ref().is_some_and(|secret| !secret.expose_secret().is_empty()) {
            config["secret"] = json!(STARS);
        }
        config
    }
}

fn is_same(one: &Scope, other: &Scope) -> bool {
    one.to_string().eq_ignore_ascii_case(&other.to_string())
}
