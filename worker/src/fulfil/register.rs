//! A runner's registration at GitHub: how it comes about, and how it goes.

use secrecy::ExposeSecret as _;
use shared::{
    github::{Deleted, Github, GithubError, JitRequest},
    model::{Pool, Registration, RunnerId, RunnerName, Scope},
    telemetry::chain,
};
use tracing::{debug, warn};

use super::Failure;
use crate::runner::{Credentials, JitFiles};

/// A runner that GitHub knows, or will know once it is started.
#[derive(Debug)]
pub struct Registered {
    /// How it proves who it is.
    pub credentials: Credentials,
    /// GitHub's id of it; one that registers by token has none yet.
    pub id: Option<RunnerId>,
}

/// Registers a runner of `pool` at `scope`, or gets the token with which it will register itself.
///
/// # Errors
///
/// [`Failure`]. If it [leaves a registration](Failure::leaves_registration), that is to be deleted.
pub async fn register(github: &Github, scope: &Scope, pool: &Pool, name: &RunnerName) -> Result<Registered, Failure> {
    match pool.registration {
        Registration::Jit => {
            let request = JitRequest { name, group: &pool.runner_group, labels: &pool.labels };
            let runner = github.jit_config(scope, &request).await?;
            let files = JitFiles::parse(runner.encoded_jit_config.expose_secret())?;
            Ok(Registered { credentials: Credentials::Jit(files), id: Some(runner.id) })
        }
        Registration::Token => {
            let token = github.registration_token(scope).await?.token;
            Ok(Registered { credentials: Credentials::Token { url: github.page(scope), token }, id: None })
        }
    }
}

/// Deletes what is left of a runner's registration. `Ok(true)` when it is gone, `Ok(false)` when GitHub says that the
/// runner works on a job.
///
/// # Errors
///
/// [`GithubError`]: it may be there yet.
pub async fn deregister(
    github: &Github,
    scope: &Scope,
    id: Option<RunnerId>,
    name: &RunnerName,
) -> Result<bool, GithubError> {
    let id = match id {
        Some(id) => Some(id),
        None => github.find_runner(scope, name).await?.map(|runner| runner.id),
    };
    let Some(id) = id else { return Ok(true) };
    let deleted = match github.delete_runner(scope, id).await {
        // Its answer was lost: done or not, once more tells.
        Err(error) if error.may_have_happened() => github.delete_runner(scope, id).await?,
        answered => answered?,
    };
    debug!(runner.name = %name, ?deleted, "The runner's registration");
    Ok(deleted != Deleted::Busy)
}

/// The same, where nothing more can be done about a failure than to say so: GitHub removes offline ephemeral runners
/// after a day.
pub(super) async fn clean_up(github: &Github, scope: &Scope, id: Option<RunnerId>, name: &RunnerName) {
    match deregister(github, scope, id, name).await {
        Ok(true) => {}
        Ok(false) => warn!(runner.name = %name, "GitHub calls the runner busy; its registration is left"),
        Err(error) => {
            warn!(runner.name = %name, error = %chain(&error), "Cannot delete the runner's registration");
        }
    }
}
