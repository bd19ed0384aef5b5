//! What deliveries are signed with.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::Environment;

/// The least length of a webhook secret, in bytes: a shorter one can be guessed from one recorded delivery.
const SECRET_BYTES_MIN: usize = 16;

const CURRENT: &str = "AUTOSCALER_SECRET_TOKEN";
const PREVIOUS: &str = "AUTOSCALER_SECRET_TOKEN_PREVIOUS";
const HINT: &str = "make one with: openssl rand -base64 32";

/// What deliveries are signed with, from variables that begin with `AUTOSCALER_`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WebhookSecrets {
    /// `AUTOSCALER_SECRET_TOKEN`, at least 16 bytes; empty if it is not set, which only a process that takes no deliveries puts up with.
    pub secret_token: SecretString,
    /// `AUTOSCALER_SECRET_TOKEN_PREVIOUS`, at least 16 bytes: accepted as well while a new secret is rolled out.
    pub secret_token_previous: Option<SecretString>,
}

impl WebhookSecrets {
    /// Reads them for a process that takes deliveries: that there is none is a problem.
    pub fn load(environment: &mut Environment) -> Self {
        let secrets = Self::load_optional(environment);
        if secrets.current().is_none() && !environment.has_problem(CURRENT) {
            environment.problem(CURRENT, format!("is required: the webhook's secret at GitHub; {HINT}"));
        }
        secrets
    }

    /// Reads them for a process that takes none: what is set has to be right all the same.
    pub fn load_optional(environment: &mut Environment) -> Self {
        let secrets: Self = environment.section("AUTOSCALER_");
        let short = |secret: &SecretString| secret.expose_secret().len() < SECRET_BYTES_MIN;
        if secrets.current().is_some_and(short) {
            environment.problem(CURRENT, format!("is shorter than {SECRET_BYTES_MIN} bytes; {HINT}"));
        }
        if secrets.secret_token_previous.as_ref().is_some_and(short) {
            environment.problem(PREVIOUS, format!("is shorter than {SECRET_BYTES_MIN} bytes; leave it out"));
        }
        secrets
    }

    /// The secret of today, if one is set.
    #[must_use]
    pub fn current(&self) -> Option<&SecretString> {
        Some(&self.secret_token).filter(|secret| !secret.expose_secret().is_empty())
    }
}
