//! How runners are registered: by a JIT config made for one runner, or by a token that a runner registers itself with.

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::{Github, GithubError, Kind, call::Call};
use crate::model::{Labels, RunnerId, RunnerName, Scope};

/// Where a runner keeps what its jobs make, below its own folder.
const WORK_FOLDER: &str = "_work";

/// A token that runners register themselves with, as often as they like until it expires.
#[derive(Clone, Debug, Deserialize)]
pub struct RegistrationToken {
    /// The token.
    pub token: SecretString,
    /// When it expires, by GitHub's clock: an hour after it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// The runner that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct JitRequest<'a> {
    /// Its name, unique within the scope.
    pub name: &'a RunnerName,
    /// Its runner group's name, in any case. Without meaning at a repository, which has no groups.
    pub group: &'a str,
    /// All its labels: GitHub adds none.
    pub labels: &'a Labels,
}

/// A runner that is registered and has not started yet.
#[derive(Clone, Debug)]
pub struct JitRunner {
    /// Its id.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
    /// What it starts with: base64 of a JSON map of its files.
    pub encoded_jit_config: SecretString,
}

#[derive(Deserialize)]
struct JitAnswer {
    runner: Registered,
    encoded_jit_config: SecretString,
}

#[derive(Deserialize)]
struct Registered {
    id: RunnerId,
}

impl Github {
    /// A registration token for `scope`: one that is good for some minutes at least. GitHub is asked for another once that
    /// one is near its end; those who ask at the same time share it.
    ///
    /// # Errors
    ///
    /// [`GithubError`]; [`GithubError::kind`] says what to do.
    pub async fn registration_token(&self, scope: &Scope) -> Result<RegistrationToken, GithubError> {
        let call = Call::about_runners(Method::POST, "get a registration token", scope, "runners/registration-token");
        self.admit_registration(&call, scope).await?;
        let ask = async || {
            let token = self.fetch::<RegistrationToken>(&call).await?;
            let end = token.expires_at;
            Ok((token, end))
        };
        self.in_turn(&call, self.registration_tokens().get(scope.clone(), || self.clock().now(), ask)).await
    }

    /// Forgets the registration token for `scope`: a runner that used it did not come up, and it may have been revoked.
    pub async fn forget_registration_token(&self, scope: &Scope) {
        self.registration_tokens().forget(scope.clone(), |_| true).await;
    }

    /// Registers an ephemeral runner at `scope`, and returns what it starts with.
    ///
    /// # Errors
    ///
    /// [`GithubError`]. Where it [may have happened](GithubError::may_have_happened), a runner of that name may be
    /// registered that nobody will start: try again under another name, and delete that one.
    pub async fn jit_config(&self, scope: &Scope, request: &JitRequest<'_>) -> Result<JitRunner, GithubError> {
        let group = self.group_id(scope, request.group).await?;
        let purpose = format!("get a JIT config for runner {}", request.name);
        let call = Call::about_runners(Method::POST, &purpose, scope, "runners/generate-jitconfig").with_body(json!({
            "name": request.name,
            "runner_group_id": group,
            "labels": request.labels,
            "work_folder": WORK_FOLDER,
        }));
        match self.fetch::<JitAnswer>(&call).await {
            Ok(JitAnswer { runner: Registered { id }, encoded_jit_config }) => {
                Ok(JitRunner { id, name: request.name.clone(), encoded_jit_config })
            }
            Err(error) => {
                if error.kind() == Kind::Permanent {
                    self.forget_group(scope, request.group);
                }
                Err(error)
            }
        }
    }
}
