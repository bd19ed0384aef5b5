//! `worker init`

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use secrecy::SecretString;
use shared::{
    github::{AccessToken, AppId, AppKey, BaseUrl, PayloadUrl},
    model::{Labels, Scope},
    pools::{RunnerConfig, RunnerImageConfig},
    queue::{Queue, QueueConfig},
    settings::Environment,
};

use super::{doctor, hook};
use crate::{
    config::Settings,
    init::{self, Answers, Asker, Credential, ENV_FILE, POOLS_FILE},
};

/// Writes .env and pools.toml into this directory, asking what no option says, and looks whether everything is there (`worker doctor`).
/// Answers may come from standard input, a line each; an empty line is what is in brackets.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// Replace the files that are there
    #[arg(long)]
    force: bool,
    /// GitHub's address in a browser
    #[arg(long, value_name = "URL")]
    github_url: Option<String>,
    /// A file with a personal access token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["app_id", "app_key_file"])]
    token_file: Option<PathBuf>,
    /// A GitHub App in place of a token: its App ID or client ID
    #[arg(long, value_name = "ID")]
    app_id: Option<String>,
    /// The file with that App's private key
    #[arg(long, value_name = "FILE")]
    app_key_file: Option<String>,
    /// Where runners register: OWNER/REPO, ORG or enterprises/ENTERPRISE
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Where GitHub is to deliver: `https://YOUR-HOST/webhook`; `later` makes no webhook
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Where the queue is, as `QUEUE_URL`
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// The labels of the runners, separated by commas
    #[arg(long)]
    labels: Option<String>,
    /// The image of the runners
    #[arg(long)]
    image: Option<String>,
    /// How many runners there may be at once
    #[arg(long, value_name = "N")]
    max_runners: Option<String>,
}

impl Init {
    pub(super) async fn run(&self, json: bool) -> anyhow::Result<()> {
        if !self.force {
            init::nothing_is_there()?;
        }
        let (answers, webhook) = self.ask(&Asker::new())?;
        init::write(&answers, self.force)?;
        eprintln!("Wrote {ENV_FILE} and {POOLS_FILE}, for this user alone.");
        let settings = Settings::load(Environment::read())
            .context("what was written is right, but not together with the variables of this environment")?;
        if let Some(url) = webhook {
            // Whatever becomes of it, the files are there, and doctor says what is missing.
            match hook::make(&settings, &answers.scope, &url).await {
                Ok(done) => eprintln!("{done}"),
                Err(error) => eprintln!("No webhook was made: {error:#}"),
            }
        }
        let done = doctor::look(&settings, Some(answers.scope.clone()), json).await;
        done.with_context(|| format!("{ENV_FILE} and {POOLS_FILE} are written, and something else is missing"))
    }

    /// Asks for everything that no option says.
    fn ask(&self, asker: &Asker) -> anyhow::Result<(Answers, Option<PayloadUrl>)> {
        let (runner, image) = (RunnerConfig::default(), RunnerImageConfig::default());
        let github = asker.ask(
            "GitHub's address",
            ("--github-url", self.github_url.as_deref()),
            Some(&BaseUrl::default().to_string()),
        )?;
        let credential = self.credential(asker)?;
        let scope: Scope =
            asker.ask("Where runners register (OWNER/REPO or ORG)", ("--scope", self.scope.as_deref()), None)?;
        let webhook: Later = asker.ask(
            "The webhook's URL, which GitHub can reach, such as https://YOUR-HOST/webhook",
            ("--webhook-url", self.webhook_url.as_deref()),
            Some(LATER),
        )?;
        let queue: QueueUrl = asker.ask(
            "The queue: sqlite: for a file on this machine, or redis://HOST:PORT",
            ("--queue-url", self.queue_url.as_deref()),
            Some("sqlite:"),
        )?;
        let usual: Vec<String> = runner.labels.iter().map(ToString::to_string).collect();
        let labels: Labels =
            asker.ask("The runners' labels", ("--labels", self.labels.as_deref()), Some(&usual.join(",")))?;
        let Image(image) =
            asker.ask("The runners' image", ("--image", self.image.as_deref()), Some(&image.reference()))?;
        let max_runners = asker.ask(
            "How many runners at once",
            ("--max-runners", self.max_runners.as_deref()),
            Some(&runner.max_runners.to_string()),
        )?;
        let secret = init::secret()?;
        let answers = Answers { github, credential, scope, queue: queue.0, labels, image, max_runners, secret };
        Ok((answers, webhook.0))
    }

    fn credential(&self, asker: &Asker) -> anyhow::Result<Credential> {
        if let Some(file) = &self.token_file {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            return token(&text).map(Credential::Token).map_err(|problem| anyhow::anyhow!("--token-file: {problem}"));
        }
        let kind = match &self.app_id {
            Some(_) => Kind::App,
            None => asker.ask(
                "A personal access token, or a GitHub App (token, app)",
                ("--app-id or --token-file", None),
                Some("token"),
            )?,
        };
        if let Kind::Token = kind {
            return asker.ask_secret("The token, which is not shown", "--token-file", token).map(Credential::Token);
        }
        let id: AppId = asker.ask("The App's id", ("--app-id", self.app_id.as_deref()), None)?;
        let KeyFile(key) =
            asker.ask("The file with its private key", ("--app-key-file", self.app_key_file.as_deref()), None)?;
        Ok(Credential::App(id, key))
    }
}

/// A token, if it is one.
fn token(text: &str) -> Result<SecretString, String> {
    let text = text.trim();
    text.parse::<AccessToken>().map(|_| SecretString::from(text)).map_err(|error| error.to_string())
}

/// What kind of credential it is.
enum Kind {
    Token,
    App,
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "token" => Ok(Self::Token),
            "app" => Ok(Self::App),
            _ => Err("is token or app".to_owned()),
        }
    }
}

/// The answer that no webhook is made now.
const LATER: &str = "later";

/// A URL for the webhook, or none yet.
struct Later(Option<PayloadUrl>);

impl std::str::FromStr for Later {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == LATER {
            return Ok(Self(None));
        }
        text.parse().map(|url| Self(Some(url))).map_err(|error: shared::model::Invalid| error.to_string())
    }
}

/// `QUEUE_URL`, as the queue itself reads it.
struct QueueUrl(SecretString);

impl std::str::FromStr for QueueUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = SecretString::from(text);
        let config = QueueConfig { url: url.clone(), ..QueueConfig::default() };
        Queue::new(&config).map(|_| Self(url)).map_err(|error| error.to_string())
    }
}

/// An image's name.
struct Image(String);

impl std::str::FromStr for Image {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("is an image's name, without blanks".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

/// The absolute path of a file with an App's key.
struct KeyFile(PathBuf);

impl std::str::FromStr for KeyFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text).canonicalize().map_err(|error| format!("cannot find {text}: {error}"))?;
        let key = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {text}: {error}"))?;
        key.parse::<AppKey>().map(|_| Self(path)).map_err(|error| error.to_string())
    }
}
