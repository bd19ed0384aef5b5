//! The queue's settings.

use std::{path::PathBuf, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::settings;

/// Settings of the queue, from the variables that begin with `QUEUE_`. Both processes need the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct QueueConfig {
    /// `QUEUE_URL`, default `sqlite:`, which is a file in its usual place. May hold a password, so it never prints.
    pub url: SecretString,
    /// `QUEUE_CA_FILE`: PEM file of the authorities that may vouch for the store; default those of the system.
    pub ca_file: Option<PathBuf>,
    /// `QUEUE_CERT_FILE` and `QUEUE_KEY_FILE`: PEM files of the certificate, with its chain, and of its key, for a store that asks
    /// its clients for one. All three are read anew for each connection, so they may be replaced at any time.
    pub cert_file: Option<PathBuf>,
    /// See [`cert_file`](Self::cert_file).
    pub key_file: Option<PathBuf>,
    /// `QUEUE_LEASE_SECONDS`, 3 to 3600, default 30. A worker that is silent for this long loses its jobs to others;
    /// it beats every third of it.
    #[serde(deserialize_with = "settings::seconds::<_, 3, 3600>")]
    pub lease_seconds: Duration,
    /// `QUEUE_MAX_ATTEMPTS`, 1 to 100, default 8. So many failed attempts make a dead letter.
    #[serde(deserialize_with = "settings::number::<_, 1, 100>")]
    pub max_attempts: u32,
    /// `QUEUE_KEEP_DAYS`, 1 to 365, default 7. How long the record of an ended job is kept.
    #[serde(deserialize_with = "settings::days::<_, 1, 365>")]
    pub keep_days: Duration,
}

impl QueueConfig {
    /// The same for the store at another address. The files for TLS go along only if it is spoken to in TLS.
    #[must_use]
    pub fn at(&self, url: SecretString) -> Self {
        let in_tls = url.expose_secret().starts_with("rediss");
        let file = |path: &Option<PathBuf>| path.clone().filter(|_| in_tls);
        let [ca_file, cert_file, key_file] = [&self.ca_file, &self.cert_file, &self.key_file].map(file);
        Self { url, ca_file, cert_file, key_file, ..self.clone() }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            url: SecretString::from("sqlite:"),
            ca_file: None,
            cert_file: None,
            key_file: None,
            lease_seconds: Duration::from_secs(30),
            max_attempts: 8,
            keep_days: Duration::from_hours(7 * 24),
        }
    }
}
