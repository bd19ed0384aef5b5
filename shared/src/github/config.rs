//! The client's settings.

use std::{fmt, fs, str::FromStr};

use reqwest::Certificate;
use serde::{Deserialize, Deserializer};

use super::{AccessToken, App, AppId, AppKey, BaseUrl, Credential, Site};
use crate::{
    model::Invalid,
    settings::{self, Environment},
};

const PAT: &str = "AUTOSCALER_GITHUB_PAT";
const APP_ID: &str = "AUTOSCALER_GITHUB_APP_ID";
const APP_KEY: &str = "AUTOSCALER_GITHUB_APP_PRIVATE_KEY";
const CA_FILE: &str = "AUTOSCALER_GITHUB_CA_FILE";

/// Settings of the client, from variables that begin with `AUTOSCALER_`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GithubConfig {
    /// `AUTOSCALER_GITHUB_PAT`: a personal access token, classic or fine-grained.
    #[serde(deserialize_with = "token")]
    pub github_pat: Option<AccessToken>,
    /// `AUTOSCALER_GITHUB_APP_ID`: a GitHub App's id or client id, in place of a personal access token.
    #[serde(deserialize_with = "settings::parsed_some")]
    pub github_app_id: Option<AppId>,
    /// `AUTOSCALER_GITHUB_APP_PRIVATE_KEY`: that App's key, as PEM.
    #[serde(deserialize_with = "settings::parsed_some")]
    pub github_app_private_key: Option<AppKey>,
    /// `AUTOSCALER_GITHUB_URL`, default `https://github.com`: GitHub's address in a browser.
    #[serde(deserialize_with = "settings::parsed")]
    pub github_url: BaseUrl,
    /// `AUTOSCALER_GITHUB_API_URL`: the base of the API, where it does not follow from the address above.
    #[serde(deserialize_with = "address")]
    pub github_api_url: Option<BaseUrl>,
    /// `AUTOSCALER_GITHUB_POINTS`, 0 to 1000000, default 900 at github.com and 0 at a server of one's own: the points that all
    /// workers together may use of one endpoint in a minute, where a call costs 1 if it only reads and else 5. 0: not counted.
    #[serde(deserialize_with = "settings::number_some::<_, 0, 1_000_000>")]
    pub github_points: Option<u32>,
    /// `AUTOSCALER_GITHUB_REGISTRATIONS`, 0 to 1000000, default 1500 at github.com and 0 at a server of one's own: the runners that
    /// all workers together may register at one repository, organization or enterprise in five minutes. 0: not counted.
    #[serde(deserialize_with = "settings::number_some::<_, 0, 1_000_000>")]
    pub github_registrations: Option<u32>,
    /// `AUTOSCALER_GITHUB_CA_FILE`: the authorities that may vouch for GitHub, in place of the system's: those of a GitHub
    /// Enterprise Server with a certificate of one's own.
    #[serde(deserialize_with = "settings::parsed_some")]
    pub github_ca_file: Option<Authorities>,
}

/// Authorities that vouch for certificates, as they were read from a file of PEM.
#[derive(Clone)]
pub struct Authorities(Vec<u8>);

impl FromStr for Authorities {
    type Err = Invalid;

    /// Reads the file of this path.
    fn from_str(path: &str) -> Result<Self, Invalid> {
        let refused = |problem: String| Invalid::new("a file of authorities", problem);
        let pem = fs::read(path).map_err(|error| refused(format!("is one that can be read; {path}: {error}")))?;
        match Self(pem) {
            file if file.certificates().is_ok_and(|certificates| !certificates.is_empty()) => Ok(file),
            _ => Err(refused(format!("has certificates in PEM, and {path} has none"))),
        }
    }
}

impl Authorities {
    pub(super) fn certificates(&self) -> reqwest::Result<Vec<Certificate>> {
        Certificate::from_pem_bundle(&self.0)
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorities").field(&self.0.len()).finish()
    }
}

impl GithubConfig {
    /// Reads the settings for a process that makes calls: that there is nothing to authorize them with is a problem.
    pub fn load(environment: &mut Environment) -> Self {
        let config = Self::load_unauthorized(environment);
        if ![PAT, APP_ID, APP_KEY].into_iter().any(|name| is_set(environment, name)) {
            let problem = "is not set; give a token that may register runners, or";
            environment.problem(PAT, format_args!("{problem} {APP_ID} with {APP_KEY}"));
        }
        config
    }

    /// Reads the settings for a process that makes no calls: it need not be able to.
    pub fn load_unauthorized(environment: &mut Environment) -> Self {
        let config: Self = environment.section("AUTOSCALER_");
        match [PAT, APP_ID, APP_KEY].map(|name| is_set(environment, name)) {
            [true, true, _] => environment.problem(APP_ID, format_args!("is set, and so is {PAT}; keep one")),
            [true, _, true] => environment.problem(APP_KEY, format_args!("is set, and so is {PAT}; keep one")),
            [_, true, false] => environment.problem(APP_KEY, format_args!("is not set, and {APP_ID} is")),
            [_, false, true] => environment.problem(APP_ID, format_args!("is not set, and {APP_KEY} is")),
            [_, false, false] | [false, true, true] => {}
        }
        if environment.has(CA_FILE) && !config.site().api().is_https() {
            environment.problem(CA_FILE, "is set, and GitHub's API is not at https://");
        }
        config
    }

    /// Where GitHub is.
    #[must_use]
    pub fn site(&self) -> Site {
        Site::new(self.github_url.clone(), self.github_api_url.clone())
    }

    /// What calls are authorized with, if anything is set.
    #[must_use]
    pub fn credential(&self) -> Option<Credential> {
        if let (Some(id), Some(key)) = (&self.github_app_id, &self.github_app_private_key) {
            return Some(Credential::App(App { id: id.clone(), key: key.clone() }));
        }
        self.github_pat.clone().map(Credential::PersonalAccessToken)
    }
}

/// Whether a variable is set. What is set and cannot be read has been reported; whether it is set is what counts here.
fn is_set(environment: &Environment, name: &str) -> bool {
    environment.has(name) || environment.has_problem(name)
}

fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AccessToken>, D::Error> {
    settings::parsed(deserializer).map(Some)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BaseUrl>, D::Error> {
    settings::parsed(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<GithubConfig, String> {
        let mut environment = Environment::of(variables.iter().copied());
        let config = GithubConfig::load(&mut environment);
        environment.finish().map(|()| config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_alone_is_enough_for_github_com() {
        let config = load(&[("AUTOSCALER_GITHUB_PAT", "ghp_hush")]).unwrap();
        assert_eq!(config.site().api().to_string(), "https://api.github.com");
        assert!(config.credential().is_some());
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn what_is_wrong_is_said_by_the_variables_name_and_once() {
        let problems = load(&[
            ("AUTOSCALER_GITHUB_PAT", "hush hush"),
            ("AUTOSCALER_GITHUB_URL", "github.example.com"),
            ("AUTOSCALER_GITHUB_API_URL", "https://hush@github.example.com"),
        ])
        .unwrap_err();
        for problem in [
            "AUTOSCALER_GITHUB_PAT: a token is 1 to 1024 letters",
            "AUTOSCALER_GITHUB_URL: GitHub's address begins with https://",
            "AUTOSCALER_GITHUB_API_URL: GitHub's address has no user or password in it",
        ] {
            assert!(problems.contains(problem), "{problems}");
        }
        assert_eq!(problems.lines().count(), 4, "{problems}");
        assert!(!problems.contains("hush"), "{problems}");

        assert!(load(&[]).unwrap_err().contains("AUTOSCALER_GITHUB_PAT: is not set"));
    }

    #[test]
    fn who_makes_no_calls_needs_nothing_to_authorize_them_but_what_is_set_must_be_right() {
        let load = |variables: &[(&str, &str)]| {
            let mut environment = Environment::of(variables.iter().copied());
            GithubConfig::load_unauthorized(&mut environment);
            environment.finish().map_err(|error| error.to_string())
        };
        load(&[]).unwrap();
        let half = load(&[("AUTOSCALER_GITHUB_APP_ID", "12345")]).unwrap_err();
        assert!(half.contains("AUTOSCALER_GITHUB_APP_PRIVATE_KEY: is not set"), "{half}");
    }
}
