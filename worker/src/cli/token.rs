//! `worker token`

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::github::Github;
use time::format_description::well_known::Rfc3339;

use super::target::Target;
use crate::config::Settings;

/// Prints a registration token: it is good for an hour, and for any number of runners of that scope.
#[derive(Args, Debug)]
pub(super) struct Token {
    #[command(flatten)]
    target: Target,
}

impl Token {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        let github = Github::new(&settings.github)?;
        let token = github.registration_token(&self.target.scope()?).await?;
        let expires_at = token.expires_at.format(&Rfc3339)?;
        if json {
            println!("{}", json!({ "token": token.token.expose_secret(), "expires_at": expires_at }));
        } else {
            println!("{}", token.token.expose_secret());
            eprintln!("good until {expires_at}");
        }
        Ok(())
    }
}
