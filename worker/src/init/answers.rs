//! What the answers make: the lines of `.env`, and `pools.toml`. Pure.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use shared::{
    github::{AppId, BaseUrl},
    model::{Labels, Scope},
    settings::{Environment, SettingsError, dotenv},
};

use crate::config::Settings;

/// What the file of pools is called.
pub(crate) const POOLS_FILE: &str = "pools.toml";

/// What calls to GitHub are authorized with.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// A personal access token.
    Token(SecretString),
    /// A GitHub App, and where its key is.
    App(AppId, PathBuf),
}

/// All that is asked.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) github: BaseUrl,
    pub(crate) credential: Credential,
    pub(crate) scope: Scope,
    pub(crate) queue: SecretString,
    pub(crate) labels: Labels,
    pub(crate) image: String,
    pub(crate) max_runners: u32,
    /// The webhook's secret, which is made up.
    pub(crate) secret: SecretString,
}

impl Answers {
    /// The variables, by name.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![("AUTOSCALER_SECRET_TOKEN", self.secret.expose_secret().to_owned())];
        match &self.credential {
            Credential::Token(token) => variables.push(("AUTOSCALER_GITHUB_PAT", token.expose_secret().to_owned())),
            Credential::App(id, key) => {
                variables.push(("AUTOSCALER_GITHUB_APP_ID", id.to_string()));
                variables.push(("AUTOSCALER_GITHUB_APP_PRIVATE_KEY_FILE", key.display().to_string()));
            }
        }
        if self.github != BaseUrl::default() {
            variables.push(("AUTOSCALER_GITHUB_URL", self.github.to_string()));
        }
        variables.push(("AUTOSCALER_POOLS", POOLS_FILE.to_owned()));
        variables.push(("QUEUE_URL", self.queue.expose_secret().to_owned()));
        variables
    }

    /// The text of `.env`.
    pub(crate) fn env(&self) -> String {
        let head = "# Written by worker init. It holds secrets: for the user alone that ingest and worker run as.\n";
        let lines = self.variables().into_iter().map(|(name, value)| dotenv::line(name, &value));
        std::iter::once(head.to_owned()).chain(lines).collect()
    }

    /// The text of `pools.toml`.
    pub(crate) fn pools(&self) -> String {
        let Self { scope, image, max_runners, .. } = self;
        let labels: Vec<String> = self.labels.iter().map(|label| quoted(label.as_str())).collect();
        // Whatever the webhook belongs to, runners register there.
        let place = match scope {
            Scope::Repository(name) => format!("scopes = [{}]\nscope = \"repository\"\n", quoted(name.as_str())),
            Scope::Organization(login) => format!("scopes = [{}]\nscope = \"organization\"\n", quoted(login)),
            Scope::Enterprise(_) => "scope = \"enterprise\"\n".to_owned(),
        };
        let (labels, image) = (labels.join(", "), quoted(image));
        format!(
            "# Written by worker init. A job goes to the pool whose labels cover its own; README.md has all keys.\n\
             [[pool]]\nname = \"default\"\nlabels = [{labels}]\nimage = {image}\nmax_runners = {max_runners}\n{place}"
        )
    }

    /// Reads them as the processes will, with `pools.toml` at `pools`.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(crate) fn check(&self, pools: &str) -> Result<(), SettingsError> {
        let variables = self
            .variables()
            .into_iter()
            .map(|(name, value)| if name == "AUTOSCALER_POOLS" { (name, pools.to_owned()) } else { (name, value) });
        Settings::load(Environment::of(variables)).map(drop)
    }
}

/// As TOML writes it.
fn quoted(text: &str) -> String {
    let escaped: String = text.chars().flat_map(|c| if "\\\"".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(scope: &str) -> Answers {
        Answers {
            github: BaseUrl::default(),
            credential: Credential::Token(SecretString::from("ghp_hush")),
            scope: scope.parse().unwrap(),
            queue: SecretString::from("redis://:it's$5@queue"),
            labels: "self-hosted,\"odd\\one".parse().unwrap(),
            image: "runner:1".to_owned(),
            max_runners: 3,
            secret: SecretString::from("sixteen bytes ok"),
        }
    }

    #[test]
    fn what_is_written_is_read_back_by_the_processes_themselves() {
        for (scope, allowed) in [("octo/hello", 1), ("octo", 1), ("enterprises/acme", 0)] {
            let answers = answers(scope);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, answers.pools()).unwrap();
            answers.check(file.path().to_str().unwrap()).unwrap();
            let environment = Environment::of([("AUTOSCALER_POOLS", file.path().to_str().unwrap())]);
            let settings = Settings::load_unauthorized(environment).unwrap();
            let pools = settings.pools.all();
            let pool = pools.iter().next().unwrap();
            assert_eq!((pool.max_runners, pool.image.as_str(), pool.scopes.len()), (3, "runner:1", allowed));
            assert_eq!(pool.labels, answers.labels);
        }
    }

    #[test]
    fn a_queue_that_is_none_is_refused_by_the_settings_own_words() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let answers = Answers { queue: SecretString::from("http://queue"), ..answers("octo") };
        std::fs::write(&file, answers.pools()).unwrap();
        let refused = answers.check(file.path().to_str().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("QUEUE_URL: "), "{refused}");
    }
}
