//! A GitHub App: how it says who it is.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
    sign::{Signer, SigningKey},
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{AccessToken, GithubError};
use crate::model::Invalid;

/// How far back an assertion begins, for clocks that differ a little.
const SINCE: Duration = Duration::minutes(1);
/// How long an assertion is good for: GitHub refuses one that ends more than 10 minutes from now, by its own clock.
const GOOD_FOR: Duration = Duration::minutes(9);
/// The most characters of an App's id.
const ID_CHARS_MAX: usize = 64;

/// Which App it is: its id, or its client id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppId(String);

impl FromStr for AppId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        if text.is_empty() || text.len() > ID_CHARS_MAX || !plain {
            return Err(Invalid::new("a GitHub App", "is its App ID or client ID: letters and digits"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An App's private key. Never prints.
#[derive(Clone)]
pub struct AppKey(Arc<dyn SigningKey>);

impl FromStr for AppKey {
    type Err = Invalid;

    /// Reads PEM, PKCS#1 as GitHub hands it out or PKCS#8. Its lines may be separated by `\n`, written out, for places
    /// where a value is one line.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = |problem: &str| Invalid::new("a GitHub App's private key", problem);
        let pem = text.replace("\\n", "\n");
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
            refused("is PEM, from -----BEGIN RSA PRIVATE KEY----- to its end, as GitHub made it for downloading")
        })?;
        let key = any_supported_type(&der).map_err(|_| refused("is one of RSA, of 2048 to 4096 bits"))?;
        let key = Self(key);
        key.signer().map(|_| key).ok_or_else(|| refused("is one of RSA"))
    }
}

impl AppKey {
    fn signer(&self) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey")
    }
}

/// An App and its key.
#[derive(Clone, Debug)]
pub struct App {
    /// Which App.
    pub id: AppId,
    /// Its private key.
    pub key: AppKey,
}

impl App {
    /// What the App shows for itself: a JSON web token, good for some minutes from `now`, which is GitHub's time.
    pub(super) fn assertion(&self, now: OffsetDateTime) -> Result<AccessToken, GithubError> {
        let claims = json!({
            "iat": (now - SINCE).unix_timestamp(),
            "exp": (now + GOOD_FOR).unix_timestamp(),
            "iss": self.id.0,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
        let signature = self.key.signer().and_then(|signer| signer.sign(signed.as_bytes()).ok());
        let token = signature.map(|signature| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)));
        token.and_then(|token| token.parse().ok()).ok_or(GithubError::Unsigned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_id_is_a_number_or_a_client_id() {
        for id in ["12345", "Iv1.8a61f9b3a7aba766", "Iv23liAbc"] {
            assert_eq!(id.parse::<AppId>().unwrap().to_string(), id);
        }
        for odd in ["", "a b", "../x", "12\"", &"1".repeat(65)] {
            odd.parse::<AppId>().expect_err(odd);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_quoted() {
        for odd in ["", "hush", "-----BEGIN RSA PRIVATE KEY-----\nhush\n-----END RSA PRIVATE KEY-----"] {
            let refused = odd.parse::<AppKey>().expect_err(odd).to_string();
            assert!(!refused.contains("hush"), "{refused}");
        }
        let (kind, of_another_kind) = ("PRIVATE KEY", rcgen_key());
        let pem = format!("-----BEGIN {kind}-----\n{of_another_kind}\n-----END {kind}-----");
        assert!(pem.parse::<AppKey>().unwrap_err().to_string().contains("RSA"));
    }

    /// PKCS#8 of a key of the curve P-256.
    fn rcgen_key() -> &'static str {
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65B\
         tOMvdyHKcvjBeBSDZH2r1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G"
    }
}
