//! Installations of a GitHub App: where it is installed, and the tokens that it acts with there.

use std::sync::PoisonError;

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use time::{Duration, OffsetDateTime};
use tracing::debug;

use super::{
    AccessToken, App, Credential, Github, GithubError,
    answer::Answer,
    auth::{Bearer, Holder},
    call::Call,
    permission::Permission,
};
use crate::model::Scope;

/// A clock that is off by more than this may be why an assertion was refused.
const CLOCKS_DIFFER: Duration = Duration::seconds(30);

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct InstallationToken {
    token: SecretString,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

impl Github {
    /// Takes note that a webhook about a repository of `owner` came through this installation of a GitHub App, which saves
    /// a call. Should it be wrong, GitHub is asked after all.
    pub fn learn_installation(&self, owner: &str, id: u64) {
        let mut installations = self.installations().lock().unwrap_or_else(PoisonError::into_inner);
        installations.entry(owner.to_ascii_lowercase()).or_insert(id);
    }

    /// The GitHub App that it is, if it is one.
    #[must_use]
    pub fn app(&self) -> Option<&App> {
        match self.credential() {
            Credential::App(app) => Some(app),
            Credential::PersonalAccessToken(_) => None,
        }
    }

    /// What a call is authorized with.
    pub(super) async fn bearer(&self, call: &Call) -> Result<Bearer, GithubError> {
        let app = match self.credential() {
            Credential::PersonalAccessToken(token) => {
                return Ok(Bearer { token: token.clone(), holder: Holder::PersonalAccessToken });
            }
            Credential::App(app) => app,
        };
        let account = account(call)?;
        // Boxed, as every call has room for it, and few make it.
        let ask = async || Box::pin(self.installation_token(app, call, &account)).await;
        let token = self.installation_tokens().get(account.clone(), || self.clock().now(), ask);
        let token = self.in_turn(call, token).await?;
        Ok(Bearer { token, holder: Holder::Installation })
    }

    /// Forgets a token that GitHub calls wrong before its time. Returns whether there may be a better one.
    pub(super) async fn forget_token(&self, call: &Call, refused: &Bearer) -> Result<bool, GithubError> {
        if refused.holder != Holder::Installation {
            return Ok(false);
        }
        debug!("The installation's token was refused before its time; getting another");
        self.installation_tokens().forget(account(call)?, |token| token.is(&refused.token)).await;
        Ok(true)
    }

    /// Gets a token, and the time of its end.
    async fn installation_token(
        &self,
        app: &App,
        call: &Call,
        account: &str,
    ) -> Result<(AccessToken, OffsetDateTime), GithubError> {
        let known = self.installations().lock().unwrap_or_else(PoisonError::into_inner).get(account).copied();
        if let Some(id) = known {
            match self.token_of(app, call, id).await {
                // It was removed there, and perhaps made anew; or the webhook was another App's.
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND.as_u16()) => {}
                token => return token,
            }
        }
        let find = match &call.at {
            Scope::Repository(repository) => format!("/repos/{repository}/installation"),
            Scope::Organization(login) => format!("/orgs/{login}/installation"),
            Scope::Enterprise(_) => return Err(GithubError::AppAtEnterprise { call: call.to_string() }),
        };
        let purpose = format!("find the GitHub App's installation at {}", call.at);
        let find = Call::new(Method::GET, purpose, find, call.at.clone(), Permission::NONE);
        let Installation { id } = self.fetch_as(app, &find).await?;
        self.installations().lock().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned(), id);
        self.token_of(app, call, id).await
    }

    async fn token_of(&self, app: &App, call: &Call, id: u64) -> Result<(AccessToken, OffsetDateTime), GithubError> {
        let purpose = format!("get a token of the GitHub App's installation {id} at {}", call.at);
        let path = format!("/app/installations/{id}/access_tokens");
        let call = Call::new(Method::POST, purpose, path, call.at.clone(), Permission::NONE);
        let InstallationToken { token, expires_at } = self.fetch_as(app, &call).await?;
        let problem = || GithubError::Malformed { call: call.to_string(), problem: "has no token in it".to_owned() };
        Ok((AccessToken::try_from(token).map_err(|_| problem())?, expires_at))
    }

    /// Makes a call as the App itself and reads what it promises.
    pub(super) async fn fetch_as<T: DeserializeOwned>(&self, app: &App, call: &Call) -> Result<T, GithubError> {
        let answer = self.answer_to(app, call).await?;
        if answer.status.is_success() { answer.read(call) } else { Err(answer.refused(call)) }
    }

    /// Makes a call as the App itself. Once more, if it turns out that the clocks differ: only the answer tells.
    pub(super) async fn answer_to(&self, app: &App, call: &Call) -> Result<Answer, GithubError> {
        let ahead = self.clock().ahead();
        let answer = self.send_as_app(app, call).await?;
        if answer.status == StatusCode::UNAUTHORIZED && (self.clock().ahead() - ahead).abs() > CLOCKS_DIFFER {
            return self.send_as_app(app, call).await;
        }
        Ok(answer)
    }

    async fn send_as_app(&self, app: &App, call: &Call) -> Result<Answer, GithubError> {
        let token = app.assertion(self.clock().now())?;
        self.send_with(call, &Bearer { token, holder: Holder::App }).await
    }
}

/// The account whose installation covers a call: an App is installed at one no more than once.
fn account(call: &Call) -> Result<String, GithubError> {
    match &call.at {
        Scope::Repository(_) | Scope::Organization(_) => Ok(call.account()),
        Scope::Enterprise(_) => Err(GithubError::AppAtEnterprise { call: call.to_string() }),
    }
}
