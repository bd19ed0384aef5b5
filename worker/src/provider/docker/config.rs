//! The settings of the Docker provider.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::Deserialize;
use shared::settings;

/// Where Docker's own client looks for an engine.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// Settings of the Docker provider, from variables that begin with `DOCKER_`. Those that say where the engine is mean
/// what they mean to Docker's own client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DockerConfig {
    /// `DOCKER_HOST`, default `unix:///var/run/docker.sock`: `unix://PATH` or `tcp://HOST:PORT`.
    #[serde(deserialize_with = "settings::parsed")]
    pub host: EngineHost,
    /// `DOCKER_TLS_VERIFY`: speak TLS with a `tcp://` engine, if it is set to anything.
    pub tls_verify: Option<String>,
    /// `DOCKER_CERT_PATH`: where `ca.pem`, `cert.pem` and `key.pem` are; default `DOCKER_CONFIG`.
    pub cert_path: Option<PathBuf>,
    /// `DOCKER_CONFIG`, default `~/.docker`. Only the certificates are taken from it.
    pub config: Option<PathBuf>,
    /// `DOCKER_BUILD_IMAGE`, default `false`: build the default pool's image at start, in place of pulling it.
    #[serde(deserialize_with = "settings::switch")]
    pub build_image: bool,
    /// `DOCKER_BUILD_PATH`, default `.`: the directory that it is built from.
    pub build_path: BuildPath,
    /// `DOCKER_RUNNER_DOCKERFILE`, default `devstack/runner.Dockerfile`, a path in that directory.
    pub runner_dockerfile: RunnerDockerfile,
    /// `DOCKER_NO_CACHE`, default `false`: build every step anew.
    #[serde(deserialize_with = "settings::switch")]
    pub no_cache: bool,
}

/// `DOCKER_BUILD_PATH`.
#[derive(Clone, Debug, Deserialize)]
pub struct BuildPath(pub PathBuf);

impl Default for BuildPath {
    fn default() -> Self {
        Self(PathBuf::from("."))
    }
}

/// `DOCKER_RUNNER_DOCKERFILE`.
#[derive(Clone, Debug, Deserialize)]
pub struct RunnerDockerfile(pub PathBuf);

impl Default for RunnerDockerfile {
    fn default() -> Self {
        Self(PathBuf::from("devstack/runner.Dockerfile"))
    }
}

impl DockerConfig {
    /// The directory of the certificates, if TLS is to be spoken.
    #[must_use]
    pub fn certificates(&self) -> Option<PathBuf> {
        if !self.host.may_speak_tls() || (self.tls_verify.is_none() && !self.host.0.starts_with("https://")) {
            return None;
        }
        let home = || std::env::home_dir().unwrap_or_default().join(".docker");
        Some(self.cert_path.clone().or_else(|| self.config.clone()).unwrap_or_else(home))
    }
}

/// An address of an engine that can be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineHost(String);

impl EngineHost {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn may_speak_tls(&self) -> bool {
        !self.0.starts_with("unix://")
    }
}

impl Default for EngineHost {
    fn default() -> Self {
        Self(DEFAULT_HOST.to_owned())
    }
}

impl fmt::Display for EngineHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EngineHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = ["unix://", "tcp://", "http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self(text.to_owned())),
            _ => Err(format!("is unix://PATH or tcp://HOST:PORT, not {text:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::settings::Environment;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<DockerConfig, String> {
        let mut environment = Environment::of(variables.iter().copied());
        let config = environment.section("DOCKER_");
        environment.finish().map(|()| config).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_set_is_what_the_readme_says() {
        let config = read(&[("DOCKER_RUNNER_IMAGE", "is another struct's")]).unwrap();
        assert_eq!(config.host.as_str(), "unix:///var/run/docker.sock");
        assert_eq!(config.build_path.0, PathBuf::from("."));
        assert_eq!(config.runner_dockerfile.0, PathBuf::from("devstack/runner.Dockerfile"));
        assert!(!config.build_image && !config.no_cache && config.certificates().is_none());
    }

    #[test]
    fn an_address_that_cannot_be_used_is_a_problem_of_that_variable() {
        for odd in ["ssh://host", "/var/run/docker.sock", "unix://", "tcp://"] {
            let problem = read(&[("DOCKER_HOST", odd)]).unwrap_err();
            assert!(problem.contains("DOCKER_HOST: is unix://PATH or tcp://HOST:PORT"), "{problem}");
        }
    }

    #[test]
    fn tls_is_spoken_where_dockers_own_client_speaks_it() {
        let certificates = |variables: &[(&str, &str)]| read(variables).unwrap().certificates();
        let tcp = ("DOCKER_HOST", "tcp://engine:2376");
        assert_eq!(certificates(&[tcp]), None);
        assert_eq!(certificates(&[("DOCKER_TLS_VERIFY", "1")]), None);
        assert_eq!(
            certificates(&[tcp, ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/certs")]),
            Some(PathBuf::from("/certs"))
        );
        assert_eq!(
            certificates(&[tcp, ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CONFIG", "/config")]),
            Some(PathBuf::from("/config"))
        );
    }
}
