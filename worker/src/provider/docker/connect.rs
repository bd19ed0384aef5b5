//! The connection to the engine.

use std::{future::Future, time::Duration};

use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker, errors::Error};
use tokio::{sync::OnceCell, time::timeout};

use super::{DockerConfig, engine_error::classify};
use crate::provider::ProviderError;

/// How long the engine may take to answer a question.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the engine may take to create, fill, start or remove a container. A busy disk takes seconds.
pub(super) const CHANGE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long an image may take to be pulled or built.
pub(super) const IMAGE_TIMEOUT: Duration = Duration::from_mins(30);
/// The client's own bound on an answer's beginning. Every call here has a bound of its own, none longer than this.
const CLIENT_TIMEOUT: Duration = Duration::from_mins(35);
/// The oldest API that has all that is asked of it: that of Docker 20.10.
const OLDEST_API: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };

/// An engine that is connected to when it is first needed, so that a worker can start before its engine does.
#[derive(Debug)]
pub(super) struct Engine {
    config: DockerConfig,
    client: OnceCell<Docker>,
    cpus: OnceCell<f64>,
}

impl Engine {
    pub(super) fn new(config: DockerConfig) -> Self {
        Self { config, client: OnceCell::new(), cpus: OnceCell::new() }
    }

    pub(super) fn config(&self) -> &DockerConfig {
        &self.config
    }

    /// The client, which speaks the newest version of the API that both sides know.
    pub(super) async fn client(&self) -> Result<Docker, ProviderError> {
        match timeout(ANSWER_TIMEOUT, self.client.get_or_try_init(|| self.connect())).await {
            Ok(client) => client.cloned(),
            Err(_) => Err(late("connect to it", ANSWER_TIMEOUT)),
        }
    }

    /// How many processors it has.
    pub(super) async fn cpus(&self) -> Result<f64, ProviderError> {
        let asked = async || {
            let client = self.client().await?;
            let info = bounded("ask for its number of processors", ANSWER_TIMEOUT, client.info()).await?;
            Ok(info.ncpu.and_then(|cpus| i32::try_from(cpus).ok()).map_or(1.0, f64::from))
        };
        self.cpus.get_or_try_init(asked).await.copied()
    }

    /// Asks the engine for its version, as a sign of life.
    pub(super) async fn ping(&self) -> Result<(), ProviderError> {
        let client = self.client().await?;
        let version = bounded("ask for its version", ANSWER_TIMEOUT, client.version()).await?;
        new_enough(version.api_version.as_deref().unwrap_or_default())
    }

    async fn connect(&self) -> Result<Docker, ProviderError> {
        let doing = format!("connect to {}", self.config.host);
        let client = self.open().map_err(|error| classify(&doing, error))?;
        let client = client.negotiate_version().await.map_err(|error| classify(&doing, error))?;
        new_enough(&client.client_version().to_string())?;
        Ok(client)
    }

    fn open(&self) -> Result<Docker, Error> {
        let (host, seconds) = (self.config.host.as_str(), CLIENT_TIMEOUT.as_secs());
        if let Some(directory) = self.config.certificates() {
            let file = |name| directory.join(name);
            let (key, certificate, ca) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
            return Docker::connect_with_ssl(host, &key, &certificate, &ca, seconds, API_DEFAULT_VERSION);
        }
        if host.starts_with("unix://") {
            return Docker::connect_with_unix(host, seconds, API_DEFAULT_VERSION);
        }
        Docker::connect_with_http(host, seconds, API_DEFAULT_VERSION)
    }
}

/// Waits for the engine to do something, no longer than `bound`.
pub(super) async fn bounded<T>(
    doing: &str,
    bound: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, ProviderError> {
    match timeout(bound, call).await {
        Ok(answer) => answer.map_err(|error| classify(doing, error)),
        Err(_) => Err(late(doing, bound)),
    }
}

/// The engine was waited for long enough.
pub(super) fn late(doing: &str, bound: Duration) -> ProviderError {
    ProviderError::unavailable(doing, format!("no answer in {} seconds", bound.as_secs()))
}

/// Refuses an engine whose newest API, such as `1.41`, is too old.
fn new_enough(api: &str) -> Result<(), ProviderError> {
    let parts = api.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let version = parts.map(|(major_version, minor_version)| ClientVersion { major_version, minor_version });
    if version.is_some_and(|version| version >= OLDEST_API) {
        return Ok(());
    }
    let message =
        format!("it speaks API {api:?}, and {OLDEST_API} is the oldest that will do: use Docker 20.10 or newer");
    Err(ProviderError::refused("work for this worker", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_older_than_20_10_is_refused_by_version() {
        for api in ["1.41", "1.53", "2.0"] {
            assert!(new_enough(api).is_ok(), "{api}");
        }
        for api in ["1.40", "1.5", "0.99", "", "new"] {
            let error = new_enough(api).unwrap_err().to_string();
            assert!(error.contains("1.41 is the oldest") && error.contains("Docker 20.10 or newer"), "{error}");
        }
    }
}
