//! GitHub Apps: who they are, where they are installed, and the tokens that their installations get.

mod assertion;
mod issued;

pub(super) use assertion::{Mistake, Shown};
pub(super) use issued::Issued;

use secrecy::SecretString;

use super::Permissions;

/// A key for Apps of stand-ins. It is no secret: whoever has it may call nothing but a stand-in that knows it.
pub const APP_KEY: &str = include_str!("key.pem");

/// A GitHub App.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub id: u64,
    /// Its private key, as PEM (PKCS#1). Only its public part is used.
    pub key: SecretString,
    /// Where it is installed.
    pub installations: Vec<Installation>,
}

impl App {
    /// An App with [`APP_KEY`] that is installed nowhere yet.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self { id, key: SecretString::from(APP_KEY), installations: Vec::new() }
    }

    /// Installs it.
    #[must_use]
    pub fn installed(mut self, id: u64, account: &str, permissions: Permissions) -> Self {
        self.installations.push(Installation { id, account: account.to_owned(), permissions });
        self
    }
}

/// An App's installation.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Its id.
    pub id: u64,
    /// The organization or user.
    pub account: String,
    /// What the App may do there.
    pub permissions: Permissions,
}
