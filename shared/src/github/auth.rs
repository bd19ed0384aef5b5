//! What calls are authorized with.

use std::str::FromStr;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::{App, governor::digest};
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

impl TryFrom<SecretString> for AccessToken {
    type Error = Invalid;

    fn try_from(text: SecretString) -> Result<Self, Invalid> {
        text.expose_secret().parse()
    }
}

impl AccessToken {
    /// Whether it is this one.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }

    /// A digest of it and the address where it is used, which leads back to neither.
    pub(super) fn digest(&self, api: &str) -> String {
        digest(&[api, "token", self.0.expose_secret()])
    }

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
    /// A GitHub App, which gets a token for each account that it is installed at, and another when that one ends.
    App(App),
}

/// What one call is authorized with.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    pub(super) token: AccessToken,
    pub(super) holder: Holder,
}

/// Whose token it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Holder {
    /// A person's.
    PersonalAccessToken,
    /// An App's, for itself: the assertion that it is who it is.
    App,
    /// An App's, for an account where it is installed.
    Installation,
}

impl Holder {
    /// What is to be done about a token that GitHub calls wrong.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::PersonalAccessToken => "the token of AUTOSCALER_GITHUB_PAT is wrong or has expired: make a new one",
            Self::App => {
                "AUTOSCALER_GITHUB_APP_PRIVATE_KEY is not a key of the App that AUTOSCALER_GITHUB_APP_ID names: \
                 compare the id, or make a new key in the App's settings"
            }
            Self::Installation => "the GitHub App's token was refused twice: is the App still installed there?",
        }
    }
}

/// The value of `Authorization` for this token.
pub(super) fn header(token: &AccessToken) -> Option<HeaderValue> {
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
        assert_eq!(header(&token).unwrap().to_str().unwrap(), "Bearer ghp_hush");
        assert!(!format!("{token:?} {:?}", header(&token)).contains("hush"));
        for odd in ["", " ", "hush hush", "hush\nhush", "hüsh", &"h".repeat(1025)] {
            let refused = odd.parse::<AccessToken>().expect_err(odd).to_string();
            assert!(!refused.contains('ü') && !refused.contains("hush"), "{refused}");
        }
    }
}
