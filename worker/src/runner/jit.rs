//! A just-in-time configuration: the files that make a runner one of GitHub's.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretSlice};

/// The most bytes that an encoded configuration may have; GitHub's have about 5 KiB.
const ENCODED_BYTES_MAX: usize = 256 * 1024;
/// The most files that it may hold; GitHub's holds three.
const FILES_MAX: usize = 16;
/// The most bytes of a file's name.
const NAME_BYTES_MAX: usize = 64;

/// The files of a just-in-time configuration, to be written into the runner's home before it starts. Their content is
/// a credential and never prints.
pub struct JitFiles(BTreeMap<String, SecretSlice<u8>>);

/// Why a just-in-time configuration cannot be used. Quotes nothing of it but the name of a file.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum JitError {
    /// It is too large to be one.
    #[error("GitHub's JIT configuration has {0} bytes; more than {ENCODED_BYTES_MAX} are not taken")]
    TooLarge(usize),
    /// It is no base64 of a JSON object of base64 texts.
    #[error("GitHub's JIT configuration cannot be read: {0}")]
    Malformed(&'static str),
    /// A file's name could lead out of the runner's home, or is not that of a configuration.
    #[error("GitHub's JIT configuration has a file called {0:?}; only plain names that begin with a dot are taken")]
    Name(String),
}

impl JitFiles {
    /// Reads GitHub's `encoded_jit_config`: base64 of a JSON object whose keys are names of files and whose values are
    /// base64 of their content.
    ///
    /// # Errors
    ///
    /// [`JitError`]: GitHub would answer the same again, so trying again at once does not help.
    pub fn parse(encoded: &str) -> Result<Self, JitError> {
        if encoded.len() > ENCODED_BYTES_MAX {
            return Err(JitError::TooLarge(encoded.len()));
        }
        let json = STANDARD.decode(encoded.trim()).map_err(|_| JitError::Malformed("it is no base64"))?;
        // The parsers' own errors are left out: they quote what they could not read.
        let texts: BTreeMap<String, String> =
            serde_json::from_slice(&json).map_err(|_| JitError::Malformed("it is no JSON object of texts"))?;
        if texts.is_empty() || texts.len() > FILES_MAX {
            return Err(JitError::Malformed("it has no files, or too many"));
        }
        let mut files = BTreeMap::new();
        for (name, text) in texts {
            if !is_plain(&name) {
                return Err(JitError::Name(name.chars().take(NAME_BYTES_MAX).collect()));
            }
            let content = STANDARD.decode(text).map_err(|_| JitError::Malformed("a file in it is no base64"))?;
            files.insert(name, SecretSlice::from(content));
        }
        Ok(Self(files))
    }

    /// The files: name and content.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, content)| (name.as_str(), content.expose_secret()))
    }
}

impl fmt::Debug for JitFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether a file of this name stays in the directory it is written to: `.runner`, `.credentials_rsaparams`.
fn is_plain(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('.') else { return false };
    name.len() <= NAME_BYTES_MAX
        && rest.starts_with(|c: char| c.is_ascii_alphanumeric())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(json: &str) -> String {
        STANDARD.encode(json)
    }

    #[test]
    fn the_files_are_those_that_github_sent() {
        let files = JitFiles::parse(&encoded(r#"{".runner":"e30=",".credentials":"aHVzaA=="}"#)).unwrap();
        let files: Vec<(&str, &[u8])> = files.iter().collect();
        assert_eq!(files, [(".credentials", &b"hush"[..]), (".runner", &b"{}"[..])]);
    }

    #[test]
    fn no_file_leaves_the_runners_home() {
        for name in ["", ".", "..", "runner", "../x", ".a/b", ".a\\b", "..a", "/.a", ".a b", ".a\u{0}", ".\u{fc}"] {
            let json = serde_json::json!({ name: "e30=" }).to_string();
            assert_eq!(JitFiles::parse(&encoded(&json)).unwrap_err(), JitError::Name(name.to_owned()));
        }
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let malformed =
            ["", "!", &encoded("[]"), &encoded("{}"), &encoded(r#"{".runner":1}"#), &encoded(r#"{".runner":"!"}"#)];
        for odd in malformed {
            assert!(matches!(JitFiles::parse(odd), Err(JitError::Malformed(_))), "{odd:?} was taken");
        }
        let large = "A".repeat(ENCODED_BYTES_MAX + 4);
        assert_eq!(JitFiles::parse(&large).unwrap_err(), JitError::TooLarge(large.len()));
    }

    #[test]
    fn nothing_of_the_content_prints() {
        let files = JitFiles::parse(&encoded(r#"{".credentials":"aHVzaA=="}"#)).unwrap();
        assert_eq!(format!("{files:?}"), r#"{".credentials"}"#);
        let error = JitFiles::parse(&encoded(r#"{".credentials":"hush!"}"#)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
}
