//! The settings of `ingest`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use shared::{
    model::RunnerNamePrefix,
    pools::{self, LivePools},
    queue::{Queue, QueueConfig, QueueError},
    settings::{self, Environment, SettingsError, WebhookSecrets},
    telemetry::TelemetryConfig,
};

/// The least length of the token, in bytes.
const TOKEN_BYTES_MIN: usize = 16;

/// How to come by a good one.
const HINT: &str = "make one with: openssl rand -base64 32";

/// The listeners, from variables that begin with `INGEST_`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct IngestConfig {
    /// `INGEST_BIND`, default `0.0.0.0:5000`: where GitHub delivers.
    #[serde(deserialize_with = "settings::parsed")]
    pub bind: SocketAddr,
    /// `INGEST_ADMIN_BIND`, default `127.0.0.1:5001`: the private listener, for operators and for Prometheus.
    #[serde(deserialize_with = "settings::parsed")]
    pub admin_bind: SocketAddr,
    /// `INGEST_ADMIN_TOKEN`, at least 16 bytes of visible ASCII: what the private listener asks for. Required when it can be
    /// reached from other machines.
    pub admin_token: Option<SecretString>,
    /// `INGEST_MAX_BODY_BYTES`, 1024 to 26214400 (25 MiB, the most that GitHub sends), default 1048576. A larger body is
    /// answered with 413; that of a workflow job has 7 to 40 kB.
    #[serde(deserialize_with = "settings::number::<_, 1024, 26_214_400>")]
    pub max_body_bytes: u32,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5000),
            admin_bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5001),
            admin_token: None,
            max_body_bytes: 1024 * 1024,
        }
    }
}

impl IngestConfig {
    fn check(&self, environment: &mut Environment) {
        const TOKEN: &str = "INGEST_ADMIN_TOKEN";
        let Self { admin_bind, admin_token, .. } = self;
        match admin_token.as_ref().map(SecretString::expose_secret) {
            Some(token) if token.len() < TOKEN_BYTES_MIN => {
                environment.problem(TOKEN, format!("is shorter than {TOKEN_BYTES_MIN} bytes; {HINT}"));
            }
            // It travels in a header.
            Some(token) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                environment.problem(TOKEN, format!("has a character that is not visible ASCII; {HINT}"));
            }
            None if !admin_bind.ip().to_canonical().is_loopback() && !environment.has_problem(TOKEN) => {
                let problem = format!(
                    "is required, for INGEST_ADMIN_BIND={admin_bind} lets other machines reach the private listener; {HINT}, or bind \
                     it to 127.0.0.1"
                );
                environment.problem(TOKEN, problem);
            }
            _ => {}
        }
    }
}

/// All settings of the process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The listeners.
    pub ingest: IngestConfig,
    /// What deliveries are signed with.
    pub secrets: WebhookSecrets,
    /// The logs.
    pub telemetry: TelemetryConfig,
    /// The queue.
    pub queue: QueueConfig,
    /// What the names of our runners begin with.
    pub runner_name_prefix: RunnerNamePrefix,
    /// The pools that jobs are matched to.
    pub pools: LivePools,
}

impl Settings {
    /// Reads all settings.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with every problem there is, by the variable's name.
    pub fn read(mut environment: Environment) -> Result<Self, SettingsError> {
        let ingest: IngestConfig = environment.section("INGEST_");
        ingest.check(&mut environment);
        let secrets = WebhookSecrets::load(&mut environment);
        let telemetry = environment.section("AUTOSCALER_");
        let queue: QueueConfig = environment.section("QUEUE_");
        if let Err(QueueError::Setting { setting, problem }) = Queue::new(&queue) {
            environment.problem(setting, problem);
        }
        let (runner, pools) = pools::load(&mut environment);
        environment.finish()?;
        Ok(Self { ingest, secrets, telemetry, queue, runner_name_prefix: runner.name_prefix, pools })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: (&str, &str) = ("AUTOSCALER_SECRET_TOKEN", "sixteen bytes ok");

    fn problems<const N: usize>(variables: [(&str, &str); N]) -> String {
        Settings::read(Environment::of(variables)).unwrap_err().to_string()
    }

    #[test]
    fn a_secret_is_all_that_must_be_set() {
        let settings = Settings::read(Environment::of([SECRET])).unwrap();
        assert_eq!(settings.ingest.bind.to_string(), "0.0.0.0:5000");
        assert_eq!(settings.ingest.admin_bind.to_string(), "127.0.0.1:5001");
        assert_eq!(settings.ingest.max_body_bytes, 1_048_576);
        assert!(!format!("{settings:?}").contains(SECRET.1));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert!(problems([]).contains("AUTOSCALER_SECRET_TOKEN: is required"));
        assert!(
            problems([(SECRET.0, "fifteen bytes..")]).contains("AUTOSCALER_SECRET_TOKEN: is shorter than 16 bytes")
        );
        let previous = problems([SECRET, ("AUTOSCALER_SECRET_TOKEN_PREVIOUS", "short")]);
        assert!(previous.contains("AUTOSCALER_SECRET_TOKEN_PREVIOUS: is shorter"));
    }

    #[test]
    fn whoever_lets_others_reach_the_private_listener_has_a_token_that_cannot_be_guessed() {
        const BIND: &str = "INGEST_ADMIN_BIND";
        const TOKEN: &str = "INGEST_ADMIN_TOKEN";
        for bind in ["0.0.0.0:5001", "[::]:5001", "10.0.0.5:5001", "[::ffff:10.0.0.5]:5001"] {
            let said = problems([SECRET, (BIND, bind)]);
            let expected = format!("INGEST_ADMIN_TOKEN: is required, for INGEST_ADMIN_BIND={bind} lets other machines");
            assert!(said.contains(&expected), "{said}");
            let token = (TOKEN, "sixteen-bytes-ok");
            let settings = Settings::read(Environment::of([SECRET, (BIND, bind), token])).unwrap();
            assert!(!format!("{settings:?}").contains(token.1));
        }
        for bind in ["127.0.0.1:5001", "127.1.2.3:1", "[::1]:5001", "[::ffff:127.0.0.1]:5001"] {
            Settings::read(Environment::of([SECRET, (BIND, bind)])).unwrap();
        }
        assert!(
            problems([SECRET, (TOKEN, "fifteen-bytes..")]).contains("INGEST_ADMIN_TOKEN: is shorter than 16 bytes")
        );
        for odd in ["sixteen bytes and a blank", "sechzehn-Bytes-für-sich"] {
            assert!(
                problems([SECRET, (TOKEN, odd)]).contains("INGEST_ADMIN_TOKEN: has a character that is not"),
                "{odd}"
            );
        }
        let unread = problems([SECRET, (BIND, "0.0.0.0:1"), ("INGEST_ADMIN_TOKEN_FILE", "/nowhere/token")]);
        assert!(unread.contains("INGEST_ADMIN_TOKEN_FILE: cannot read") && !unread.contains("is required"), "{unread}");
    }

    #[test]
    fn the_limit_of_bodies_is_from_1_kib_to_25_mib() {
        for (value, taken) in [("1023", false), ("1024", true), ("26214400", true), ("26214401", false), ("1e6", false)]
        {
            let read = Settings::read(Environment::of([SECRET, ("INGEST_MAX_BODY_BYTES", value)]));
            assert_eq!(read.is_ok(), taken, "{value}");
        }
    }
}
