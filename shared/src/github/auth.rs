//! What calls are authorized with.

use std::str::FromStr;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::model::Invalid;

/// The most characters of a token. GitHub's have 40 to 255, and it asks programs to be ready for more.
const TOKEN_CHARS_MAX: usize = 1024;

/// A token of GitHub's: text that an `Authorization` header can carry. Never prints.
#[derive(Clone, Debug)]
pub struct AccessToken(SecretString);

impl FromStr for AccessToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let token = text.trim();
        if token.is_empty() || token.len() > TOKEN_CHARS_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("a token", "is 1 to 1024 letters, digits and signs, without blanks"));
        }
        Ok(Self(SecretString::from(token)))
    }
}

impl AccessToken {
    /// `text` with the token taken out of it, should it be there.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(self.0.expose_secret(), "[token]")
    }
}

/// Where the tokens of calls come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A personal access token, classic or fine-grained. It does not change while the process runs.
    PersonalAccessToken(AccessToken),
}

impl Credential {
    /// The token of the next call.
    pub(super) fn token(&self) -> &AccessToken {
        match self {
            Self::PersonalAccessToken(token) => token,
        }
    }

    /// The setting that it comes from.
    pub(super) fn setting(&self) -> &'static str {
        match self {
            Self::PersonalAccessToken(_) => "AUTOSCALER_GITHUB_PAT",
        }
    }
}

/// The value of `Authorization` for this token.
pub(super) fn bearer(token: &AccessToken) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.0.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_a_header_can_carry_and_never_prints() {
        let token: AccessToken = "ghp_hush\n".parse().unwrap();
        assert_eq!(bearer(&token).unwrap().to_str().unwrap(), "Bearer ghp_hush");
        assert!(!format!("{token:?} {:?}", bearer(&token)).contains("hush"));
        for odd in ["", " ", "hush hush", "hush\nhush", "hüsh", &"h".repeat(1025)] {
            let refused = odd.parse::<AccessToken>().expect_err(odd).to_string();
            assert!(!refused.contains('ü') && !refused.contains("hush"), "{refused}");
        }
    }
}
