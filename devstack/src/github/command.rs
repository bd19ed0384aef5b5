//! `devstack github`: a stand-in that anybody can call.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use secrecy::SecretString;
use shared::{settings::Environment, shutdown};
use tokio_util::sync::CancellationToken;

use super::{Choice, Config, ContentType, HookTarget, Permissions, StandIn, Webhook};
use crate::deliver;

/// Stands in for GitHub until it is told to stop.
///
/// Webhooks are signed with `AUTOSCALER_SECRET_TOKEN` (or the file that `AUTOSCALER_SECRET_TOKEN_FILE` names). What can
/// be done with it over HTTP is below `/_standin`: `GET state`, `POST jobs`, `POST jobs/ID/cancel`, `POST faults`.
#[derive(Clone, Debug, clap::Args)]
pub struct GithubCommand {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:8080")]
    bind: SocketAddr,

    /// Its address for runners, where they cannot reach it by the one above
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// Where webhooks go; none are sent without
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,

    /// Send webhooks as forms
    #[arg(long, requires = "webhook_url")]
    form: bool,

    /// What the hook was set up for; what each job belongs to, unless given
    #[arg(long, value_enum, requires = "webhook_url")]
    target_type: Option<HookTarget>,

    /// A file with the webhook secret, in place of `AUTOSCALER_SECRET_TOKEN`
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// A token that may do everything; may be given again. It stands in for a token: it is no secret
    #[arg(long = "token", value_name = "TOKEN", default_value = "ghp_standin")]
    tokens: Vec<String>,

    /// Give a job to any of the runners that may take it, in place of the one that has listened longest
    #[arg(long)]
    random: bool,
}

impl GithubCommand {
    /// Runs until SIGTERM or SIGINT.
    ///
    /// # Errors
    ///
    /// When it cannot listen, or there is no secret to sign webhooks with.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut config = Config { bind: self.bind, public_url: self.public_url.clone(), ..Config::default() };
        if self.random {
            config.choice = Choice::Random(fastrand::u64(..));
        }
        for token in &self.tokens {
            config = config.token(token.as_str(), Permissions::all());
        }
        config.webhook = self.webhook()?;
        let stand_in = StandIn::start(config)?;
        tracing::info!(url = stand_in.url(), public_url = stand_in.public_url(), "Standing in for GitHub");
        shutdown::on_signal(CancellationToken::new()).await.context("cannot listen for signals")?;
        stand_in.stop();
        Ok(())
    }

    fn webhook(&self) -> anyhow::Result<Option<Webhook>> {
        let Some(url) = self.webhook_url.clone() else { return Ok(None) };
        let secret = match &self.secret_file {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                SecretString::from(text.trim())
            }
            None => deliver::secret(Environment::read())?
                .context("AUTOSCALER_SECRET_TOKEN: is not set; webhooks are signed with it")?,
        };
        let content_type = if self.form { ContentType::Form } else { ContentType::Json };
        Ok(Some(Webhook { url, secret, content_type, target: self.target_type }))
    }
}
