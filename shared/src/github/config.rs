//! The client's settings.

use serde::{Deserialize, Deserializer};

use super::{AccessToken, BaseUrl, Credential, Site};
use crate::settings::{self, Environment};

/// Settings of the client, from variables that begin with `AUTOSCALER_`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GithubConfig {
    /// `AUTOSCALER_GITHUB_PAT`: a personal access token, classic or fine-grained.
    #[serde(deserialize_with = "token")]
    pub github_pat: Option<AccessToken>,
    /// `AUTOSCALER_GITHUB_URL`, default `https://github.com`: GitHub's address in a browser.
    #[serde(deserialize_with = "settings::parsed")]
    pub github_url: BaseUrl,
    /// `AUTOSCALER_GITHUB_API_URL`: the base of the API, where it does not follow from the address above.
    #[serde(deserialize_with = "address")]
    pub github_api_url: Option<BaseUrl>,
}

impl GithubConfig {
    /// Reads the settings for a process that makes calls: that there is nothing to authorize them with is a problem.
    pub fn load(environment: &mut Environment) -> Self {
        let config: Self = environment.section("AUTOSCALER_");
        if config.github_pat.is_none() && !environment.has_problem("AUTOSCALER_GITHUB_PAT") {
            environment.problem("AUTOSCALER_GITHUB_PAT", "is not set; give a token that may register runners");
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
        self.github_pat.clone().map(Credential::PersonalAccessToken)
    }
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
}
