//! What vouches for the store, and for us: files that are read anew for each connection, since certificates are replaced
//! while processes run.

use std::{fs, path::PathBuf};

use redis::{ClientTlsConfig, ErrorKind, RedisError, RedisResult, TlsCertificates};

use crate::queue::{QueueConfig, QueueError};

const CA: &str = "QUEUE_CA_FILE";
const CERT: &str = "QUEUE_CERT_FILE";
const KEY: &str = "QUEUE_KEY_FILE";

/// The files of the settings. None of them has to be set.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    ca: Option<PathBuf>,
    /// A certificate and its key.
    client: Option<(PathBuf, PathBuf)>,
}

impl Files {
    /// Those that the settings name.
    pub(super) fn new(config: &QueueConfig) -> Result<Self, QueueError> {
        let client = match (&config.cert_file, &config.key_file) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(problem(CERT, format!("is set without {KEY}"))),
            (None, Some(_)) => return Err(problem(KEY, format!("is set without {CERT}"))),
        };
        Ok(Self { ca: config.ca_file.clone(), client })
    }

    /// Refuses files for a store that is not spoken to in TLS: whoever sets them takes it for granted.
    pub(super) fn refuse(&self) -> Result<(), QueueError> {
        let set = self.ca.as_ref().map(|_| CA).or(self.client.as_ref().map(|_| CERT));
        set.map_or(Ok(()), |name| Err(problem(name, "is set, and QUEUE_URL does not begin with rediss".to_owned())))
    }

    /// Reads the files as they are now.
    pub(super) fn load(&self) -> Result<TlsCertificates, QueueError> {
        let read = |name, path: &PathBuf| {
            fs::read(path).map_err(|error| problem(name, format!("cannot read {}: {error}", path.display())))
        };
        let root_cert = self.ca.as_ref().map(|path| read(CA, path)).transpose()?;
        if let Some(text) = &root_cert
            && !has_certificate(text)
        {
            return Err(problem(CA, "has no certificate in it; it is to be PEM".to_owned()));
        }
        let client_tls = match &self.client {
            None => None,
            Some((cert, key)) => Some(ClientTlsConfig { client_cert: read(CERT, cert)?, client_key: read(KEY, key)? }),
        };
        Ok(TlsCertificates { client_tls, root_cert })
    }

    /// The same for a connection.
    pub(super) fn for_connection(&self) -> RedisResult<TlsCertificates> {
        self.load().map_err(|error| {
            RedisError::from((ErrorKind::InvalidClientConfig, "the files for TLS cannot be used", error.to_string()))
        })
    }
}

/// The library takes a file without one for an authority that vouches for nobody.
fn has_certificate(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----")
}

fn problem(setting: &'static str, problem: String) -> QueueError {
    QueueError::Setting { setting, problem }
}
