//! Signs a webhook as GitHub does, and sends it.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use shared::settings::Environment;

use crate::github::HookTarget;

/// How long GitHub waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What GitHub calls itself when it delivers.
const HOOKSHOT: &str = "GitHub-Hookshot/57a1d2c";
/// The id of a stand-in's own hook: the same at every place.
pub const HOOK_ID: u64 = 512_345_678;
/// The id of what it was set up for.
const TARGET_ID: &str = "701234567";
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 4096;

/// The content type of a hook.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentType {
    /// `application/json`
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`: the JSON is in the field `payload`.
    Form,
}

/// One webhook.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Where it goes.
    pub url: String,
    /// `X-GitHub-Event`
    pub event: String,
    /// `X-GitHub-Delivery`
    pub guid: String,
    /// `X-GitHub-Hook-ID`
    pub hook: u64,
    /// `X-GitHub-Hook-Installation-Target-Type`
    pub target: HookTarget,
    /// How the payload is wrapped.
    pub content_type: ContentType,
    /// The payload, as JSON.
    pub payload: Vec<u8>,
}

/// How it was received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
}

/// Why a webhook could not be delivered: there was no answer within 10 s.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {url}")]
pub struct DeliverError {
    url: String,
    source: reqwest::Error,
}

impl Delivery {
    /// Signs it and sends it, once.
    ///
    /// # Errors
    ///
    /// [`DeliverError`].
    pub async fn send(&self, client: &reqwest::Client, secret: &SecretString) -> Result<Answer, DeliverError> {
        let (content_type, body) = match self.content_type {
            ContentType::Json => ("application/json", self.payload.clone()),
            ContentType::Form => ("application/x-www-form-urlencoded", form(&self.payload)),
        };
        let request = client
            .post(&self.url)
            .timeout(PATIENCE)
            .header(USER_AGENT, HOOKSHOT)
            .header(CONTENT_TYPE, content_type)
            .header("Accept", "*/*")
            .header("X-GitHub-Event", &self.event)
            .header("X-GitHub-Delivery", &self.guid)
            .header("X-GitHub-Hook-ID", self.hook)
            .header("X-GitHub-Hook-Installation-Target-Type", self.target.as_str())
            .header("X-GitHub-Hook-Installation-Target-ID", TARGET_ID)
            .header("X-Hub-Signature-256", signature(secret, &body))
            .body(body);
        let failed = |source| DeliverError { url: self.url.clone(), source };
        let mut response = request.send().await.map_err(failed)?;
        let mut text = Vec::new();
        while text.len() < ANSWER_BYTES_MAX {
            match response.chunk().await.map_err(failed)? {
                Some(chunk) => text.extend_from_slice(&chunk),
                None => break,
            }
        }
        text.truncate(ANSWER_BYTES_MAX);
        Ok(Answer { status: response.status().as_u16(), body: String::from_utf8_lossy(&text).into_owned() })
    }
}

/// The value of `X-Hub-Signature-256`.
#[must_use]
pub fn signature(secret: &SecretString, body: &[u8]) -> String {
    // A key of any length will do, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return String::new() };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A client for webhooks.
///
/// # Errors
///
/// When it cannot be set up for TLS.
pub fn client() -> reqwest::Result<reqwest::Client> {
    // Fails when the process has chosen already, which is as good.
    rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

/// A GUID such as GitHub gives to each delivery.
#[must_use]
pub fn guid() -> String {
    crate::github::guid(&mut fastrand::Rng::new())
}

fn form(payload: &[u8]) -> Vec<u8> {
    let mut body = String::from("payload=");
    for &byte in payload {
        if byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte) {
            body.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            write!(body, "%{byte:02X}").unwrap_or_default();
        }
    }
    body.into_bytes()
}

/// Signs a payload with `AUTOSCALER_SECRET_TOKEN` and sends it, as GitHub would. Ends with 1 unless the answer is 2xx.
#[derive(Clone, Debug, clap::Args)]
pub struct DeliverCommand {
    /// The payload, a file of JSON
    file: PathBuf,

    /// Where it goes
    #[arg(long, default_value = "http://127.0.0.1:5000/webhook")]
    url: String,

    /// The event
    #[arg(long, default_value = "workflow_job")]
    event: String,

    /// The delivery's GUID, to send the same delivery again; a new one unless given
    #[arg(long, value_name = "GUID")]
    delivery: Option<String>,

    /// Send it as a form
    #[arg(long)]
    form: bool,

    /// What the hook was set up for
    #[arg(long, value_enum, default_value = "repository")]
    target_type: HookTarget,
}

/// The setting that deliveries are signed with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SecretConfig {
    secret_token: Option<SecretString>,
}

impl DeliverCommand {
    /// Delivers, prints the answer, and returns whether it is 2xx.
    ///
    /// # Errors
    ///
    /// When the file or the secret cannot be read, or there is no answer.
    pub async fn run(self) -> anyhow::Result<bool> {
        let payload = std::fs::read(&self.file);
        let payload = payload.with_context(|| format!("cannot read {}", self.file.display()))?;
        let secret = secret(Environment::read())?.context("AUTOSCALER_SECRET_TOKEN: is not set")?;
        let delivery = Delivery {
            url: self.url,
            event: self.event,
            guid: self.delivery.unwrap_or_else(guid),
            hook: HOOK_ID,
            target: self.target_type,
            content_type: if self.form { ContentType::Form } else { ContentType::Json },
            payload,
        };
        let answer = delivery.send(&client()?, &secret).await?;
        #[allow(clippy::print_stdout)] // what the command is for
        {
            println!("{} {}", answer.status, answer.body.trim_end());
        }
        Ok((200..300).contains(&answer.status))
    }
}

/// The webhook secret, from the environment or the file that it names.
pub(crate) fn secret(mut environment: Environment) -> anyhow::Result<Option<SecretString>> {
    let config: SecretConfig = environment.section("AUTOSCALER_");
    environment.finish()?;
    Ok(config.secret_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_githubs_published_example() {
        assert_eq!(
            signature(&SecretString::from("It's a Secret to Everybody"), b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }

    #[test]
    fn a_form_keeps_every_byte_of_the_payload() {
        assert_eq!(form("{\"a\": \"ü&+\"}".as_bytes()), b"payload=%7B%22a%22%3A%20%22%C3%BC%26%2B%22%7D");
    }
}
