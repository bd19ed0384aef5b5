//! `worker hook add|list|remove`

use clap::{ArgGroup, Args, Subcommand};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use shared::{
    github::{Github, Hook as Identity, HookChange, HookSettings, LastResponse, PayloadUrl, Webhook, WebhookConfig},
    model::Scope,
};

use super::{
    table::{aligned, or_dash},
    target::Place,
};
use crate::config::Settings;

/// Makes, corrects, lists and removes webhooks at GitHub.
#[derive(Args, Debug)]
pub(super) struct Hook {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a webhook with the secret of `AUTOSCALER_SECRET_TOKEN`, JSON content and only `workflow_job`; or correct the one that has that URL
    Add {
        #[command(flatten)]
        owner: Owner,
        /// Where GitHub delivers: `https://YOUR-HOST/webhook`
        #[arg(long)]
        url: PayloadUrl,
    },
    /// List webhooks, whatever they are for, with how the last delivery was answered
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Remove a webhook
    Remove {
        #[command(flatten)]
        owner: Owner,
        /// GitHub's id of it, or its URL
        #[arg(value_name = "ID|URL")]
        which: String,
    },
}

/// Whose webhook it is.
#[derive(Args, Debug)]
#[group(skip)]
#[command(group(ArgGroup::new("owner").required(true).args(["repo", "org", "enterprise", "app"])))]
struct Owner {
    #[command(flatten)]
    place: Place,
    /// The GitHub App that is called with (`AUTOSCALER_GITHUB_APP_ID`), and its one webhook
    #[arg(long)]
    app: bool,
}

impl Owner {
    /// The place; none of an App, which is nowhere.
    fn scope(&self) -> Option<Scope> {
        self.place.scope()
    }
}

/// A webhook in a list. Its JSON is a contract: fields may be added.
#[derive(Serialize)]
struct Row {
    /// None of an App's.
    id: Option<u64>,
    url: String,
    active: bool,
    events: Vec<String>,
    content_type: String,
    insecure_ssl: bool,
    /// What is not as `worker hook add` makes it.
    wrong: Vec<HookChange>,
    last_response: Option<LastResponse>,
}

/// What `add` did.
struct Added {
    id: Option<u64>,
    is_new: bool,
    changed: Vec<HookChange>,
}

impl Added {
    /// What was done, for programs.
    fn done(&self) -> &'static str {
        match self {
            Self { is_new: true, .. } => "made",
            Self { changed, .. } if changed.is_empty() => "unchanged",
            Self { .. } => "corrected",
        }
    }

    /// The same for people.
    fn text(&self, at: &str, url: &PayloadUrl) -> String {
        let which = self.id.map_or_else(|| format!("the webhook of {at}"), |id| format!("the webhook {id} of {at}"));
        match self.done() {
            "made" => format!("Made {which}: GitHub sends a ping to {url} now."),
            "unchanged" => format!("Left {which} as it was, and set its secret again: GitHub does not say what it is."),
            _ => format!("Corrected {which} ({}), and set its secret.", words(&self.changed)),
        }
    }
}

impl Hook {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let github = Github::new(&settings.github)?;
        match &self.what {
            What::Add { owner, url } => add(&github, owner, url, settings.secrets.current(), json).await,
            What::List { owner } => list(&github, owner, json).await,
            What::Remove { owner, which } => remove(&github, owner, which, json).await,
        }
    }
}

/// Makes or corrects the webhook of a place, and says what was done.
///
/// # Errors
///
/// When the secret is not set, or GitHub refuses.
pub(super) async fn make(settings: &Settings, scope: &Scope, url: &PayloadUrl) -> anyhow::Result<String> {
    let wish = wish(url, settings.secrets.current())?;
    let added = make_or_correct(&Github::new(&settings.github)?, scope, &wish).await?;
    Ok(added.text(&scope.to_string(), url))
}

fn wish(url: &PayloadUrl, secret: Option<&SecretString>) -> anyhow::Result<HookSettings> {
    let secret = secret.cloned().ok_or_else(|| {
        anyhow::anyhow!(
            "AUTOSCALER_SECRET_TOKEN is not set: set it to the secret that ingest has, and the webhook gets it"
        )
    })?;
    Ok(HookSettings { url: url.clone(), secret })
}

async fn add(
    github: &Github,
    owner: &Owner,
    url: &PayloadUrl,
    secret: Option<&SecretString>,
    json: bool,
) -> anyhow::Result<()> {
    let wish = wish(url, secret)?;
    let (at, added) = match owner.scope() {
        Some(scope) => (scope.to_string(), make_or_correct(github, &scope, &wish).await?),
        None => ("the GitHub App".to_owned(), correct_app(github, &wish).await?),
    };
    if json {
        println!(
            "{}",
            json!({ "id": added.id, "at": at, "url": url.to_string(), "done": added.done(), "changed": added.changed })
        );
        return Ok(());
    }
    println!("{}", added.text(&at, url));
    Ok(())
}

fn words(changed: &[HookChange]) -> String {
    changed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

async fn make_or_correct(github: &Github, scope: &Scope, wish: &HookSettings) -> anyhow::Result<Added> {
    let webhooks = github.webhooks(scope).await?;
    let Some(webhook) = webhooks.into_iter().find(|webhook| webhook.config.url == wish.url.to_string()) else {
        let made = github.add_webhook(scope, wish).await?;
        return Ok(Added { id: Some(made.id), is_new: true, changed: Vec::new() });
    };
    let hook = Identity::at(scope, webhook.id).ok_or_else(|| anyhow::anyhow!("{scope} has no webhooks"))?;
    github.correct_webhook(&hook, wish).await?;
    Ok(Added { id: Some(webhook.id), is_new: false, changed: webhook.wrong() })
}

async fn correct_app(github: &Github, wish: &HookSettings) -> anyhow::Result<Added> {
    of_an_app(github)?;
    let before = github.app_webhook().await?;
    github.correct_webhook(&Identity::App, wish).await?;
    let mut changed = before.as_ref().map(WebhookConfig::wrong).unwrap_or_default();
    let url_differs = before.as_ref().is_some_and(|before| before.url != wish.url.to_string());
    changed.extend(url_differs.then_some(HookChange::Url));
    if !has_jobs(&github.app_facts().await?.events) {
        eprintln!("The App is not told of jobs yet: subscribe to the event \"Workflow job\" in its settings.");
    }
    Ok(Added { id: None, is_new: before.is_none(), changed })
}

fn of_an_app(github: &Github) -> anyhow::Result<()> {
    match github.app() {
        Some(_) => Ok(()),
        None => anyhow::bail!("--app is for the webhook of a GitHub App, and AUTOSCALER_GITHUB_APP_ID is not set"),
    }
}

fn has_jobs(events: &[String]) -> bool {
    events.iter().any(|event| event == "workflow_job")
}

async fn list(github: &Github, owner: &Owner, json: bool) -> anyhow::Result<()> {
    let rows = match owner.scope() {
        Some(scope) => rows(github, &scope).await?,
        None => of_app(github).await?.into_iter().collect(),
    };
    anstream::println!("{}", if json { serde_json::to_string(&rows)? } else { table(&rows) });
    Ok(())
}

async fn rows(github: &Github, scope: &Scope) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for webhook in github.webhooks(scope).await? {
        let wrong = webhook.wrong();
        let Webhook { id, active, events, config, last_response } = webhook;
        let last_response = match (last_response, Identity::at(scope, id)) {
            (Some(last), _) => Some(last),
            (None, Some(hook)) => last(github, &hook).await?,
            (None, None) => None,
        };
        rows.push(row(Some(id), (active, events), config, wrong, last_response));
    }
    Ok(rows)
}

async fn of_app(github: &Github) -> anyhow::Result<Option<Row>> {
    of_an_app(github)?;
    let Some(config) = github.app_webhook().await? else { return Ok(None) };
    let events = github.app_facts().await?.events;
    let mut wrong = config.wrong();
    wrong.extend((!has_jobs(&events)).then_some(HookChange::Events));
    Ok(Some(row(None, (true, events), config, wrong, last(github, &Identity::App).await?)))
}

fn row(
    id: Option<u64>,
    (active, events): (bool, Vec<String>),
    config: WebhookConfig,
    wrong: Vec<HookChange>,
    last_response: Option<LastResponse>,
) -> Row {
    let WebhookConfig { url, content_type, is_insecure: insecure_ssl, .. } = config;
    Row { id, url, active, events, content_type, insecure_ssl, wrong, last_response }
}

/// How the last delivery was answered, of a webhook whose list does not say so.
async fn last(github: &Github, hook: &Identity) -> anyhow::Result<Option<LastResponse>> {
    let (attempts, _next) = github.deliveries(hook, None).await?;
    let last = attempts.into_iter().next();
    Ok(last.map(|last| LastResponse {
        code: Some(last.status_code).filter(|code| *code > 0),
        status: None,
        message: None,
    }))
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![["ID", "URL", "ACTIVE", "EVENTS", "CONTENT", "LAST", "WRONG"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let last = row.last_response.as_ref().map(|last| match (last.code, &last.message) {
            (Some(code), _) => code.to_string(),
            (None, Some(message)) => message.clone(),
            (None, None) => last.status.clone().unwrap_or_else(|| "no answer".to_owned()),
        });
        let wrong = words(&row.wrong);
        [
            or_dash(row.id.as_ref()),
            row.url.clone(),
            if row.active { "yes" } else { "no" }.to_owned(),
            row.events.join(","),
            row.content_type.clone(),
            or_dash(last.as_ref()),
            if wrong.is_empty() { "-".to_owned() } else { wrong },
        ]
    }));
    aligned(&lines, &[]).trim_end().to_owned()
}

async fn remove(github: &Github, owner: &Owner, which: &str, json: bool) -> anyhow::Result<()> {
    let Some(scope) = owner.scope() else {
        anyhow::bail!("a GitHub App's webhook is switched off in the App's settings: GitHub's API does not do that");
    };
    let webhooks = github.webhooks(&scope).await?;
    let is_meant = |webhook: &&Webhook| webhook.config.url == which || webhook.id.to_string() == which;
    let Some(webhook) = webhooks.iter().find(is_meant) else {
        anyhow::bail!("there is no webhook {which} of {scope}; worker hook list shows those that there are");
    };
    if let Some(hook) = Identity::at(&scope, webhook.id) {
        github.remove_webhook(&hook).await?;
    }
    if json {
        println!("{}", json!({ "id": webhook.id, "at": scope, "url": webhook.config.url, "done": "removed" }));
    } else {
        println!("Removed the webhook {} of {scope}, which delivered to {}.", webhook.id, webhook.config.url);
    }
    Ok(())
}
