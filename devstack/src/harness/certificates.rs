//! Certificates of an authority of one's own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::error::HarnessError;

/// An authority, a certificate of it for this machine's loopback interface, and one for a client, as PEM files in a folder that
/// is removed when this is dropped.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// When the files cannot be written.
    pub fn make() -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new().prefix("certificates-").tempdir();
        let folder = folder.map_err(HarnessError::system("make a folder for certificates"))?;
        write(folder.path()).map_err(HarnessError::system("make certificates"))?;
        Ok(Self { folder })
    }

    /// The authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The client's certificate and its key.
    #[must_use]
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (self.folder.path().join("client.pem"), self.folder.path().join("client.key"))
    }

    /// The server's certificate and its key.
    #[must_use]
    pub fn server(&self) -> (PathBuf, PathBuf) {
        (self.folder.path().join("server.pem"), self.folder.path().join("server.key"))
    }

    /// What a `redis-server` is to be told to speak TLS on `port` as well as plainly on its own. With `ask`, it wants to see a
    /// client's certificate.
    #[must_use]
    pub fn of_redis(&self, port: u16, ask: bool) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        [
            ("--tls-port", port.to_string()),
            ("--tls-ca-cert-file", path("ca.pem")),
            ("--tls-cert-file", path("server.pem")),
            ("--tls-key-file", path("server.key")),
            ("--tls-auth-clients", if ask { "yes" } else { "no" }.to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "an authority of the harness");
    let authority = CertifiedIssuer::self_signed(authority, key()?).map_err(io::Error::other)?;
    fs::write(folder.join("ca.pem"), authority.pem())?;
    for (name, hosts) in [("server", vec!["127.0.0.1".to_owned(), "localhost".to_owned()]), ("client", Vec::new())] {
        let key = key()?;
        let certificate = CertificateParams::new(hosts).and_then(|params| params.signed_by(&key, &authority));
        fs::write(folder.join(format!("{name}.pem")), certificate.map_err(io::Error::other)?.pem())?;
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
    }
    Ok(())
}

fn key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}
