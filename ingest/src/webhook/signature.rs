//! `X-Hub-Signature-256`: whether a body comes from somebody who knows the secret.

use actix_web::http::header::HeaderMap;
use hmac::{Hmac, KeyInit as _, Mac as _, digest::InvalidLength};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use shared::settings::WebhookSecrets;

/// The header.
const HEADER: &str = "x-hub-signature-256";
/// What its value begins with.
const PREFIX: &[u8] = b"sha256=";

/// What a request says its signature is. Nothing is proved by having one.
pub(super) struct Claim([u8; 32]);

/// Why a request counts as unsigned. For the log: the sender is told the same whatever it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum SignatureProblem {
    /// There is no header.
    #[error("there is no X-Hub-Signature-256; has the webhook at GitHub a secret?")]
    Missing,
    /// There is more than one, and which one counts is anybody's guess.
    #[error("there is more than one X-Hub-Signature-256")]
    Repeated,
    /// It is not `sha256=` and 64 hexadecimal digits.
    #[error("X-Hub-Signature-256 is not sha256= and 64 hexadecimal digits")]
    Malformed,
    /// It was made with another secret or of another body.
    #[error("X-Hub-Signature-256 does not fit the body; is AUTOSCALER_SECRET_TOKEN the webhook's secret?")]
    Wrong,
}

impl Claim {
    /// Reads the header, of which there must be one.
    ///
    /// # Errors
    ///
    /// What is odd about it.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, SignatureProblem> {
        let mut values = headers.get_all(HEADER);
        let value = values.next().ok_or(SignatureProblem::Missing)?;
        if values.next().is_some() {
            return Err(SignatureProblem::Repeated);
        }
        let digits = value.as_bytes().strip_prefix(PREFIX).ok_or(SignatureProblem::Malformed)?;
        let mut tag = [0; 32];
        hex::decode_to_slice(digits, &mut tag).map_err(|_| SignatureProblem::Malformed)?;
        Ok(Self(tag))
    }
}

/// The secrets, ready for use: the key's part of each computation is done once.
pub(crate) struct Signatures(Vec<Hmac<Sha256>>);

impl Signatures {
    /// Those that deliveries may be signed with.
    ///
    /// # Errors
    ///
    /// None that is known: HMAC takes keys of any length.
    pub(crate) fn new(secrets: &WebhookSecrets) -> Result<Self, InvalidLength> {
        let secrets = [Some(&secrets.secret_token), secrets.secret_token_previous.as_ref()];
        secrets.into_iter().flatten().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Proves that `body` was signed with one of the secrets, as `claim` says. The comparison takes the same time
    /// wherever the two differ.
    ///
    /// # Errors
    ///
    /// [`SignatureProblem::Wrong`].
    pub(super) fn prove(&self, claim: &Claim, body: &[u8]) -> Result<(), SignatureProblem> {
        let fits = |key: &Hmac<Sha256>| key.clone().chain_update(body).verify_slice(&claim.0).is_ok();
        if self.0.iter().any(fits) { Ok(()) } else { Err(SignatureProblem::Wrong) }
    }
}

fn key(secret: &SecretString) -> Result<Hmac<Sha256>, InvalidLength> {
    Hmac::new_from_slice(secret.expose_secret().as_bytes())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const BODY: &[u8] = b"Hello, World!";
    const DIGITS: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn signatures(current: &str, previous: Option<&str>) -> Signatures {
        let secrets =
            WebhookSecrets { secret_token: current.into(), secret_token_previous: previous.map(SecretString::from) };
        Signatures::new(&secrets).unwrap()
    }

    fn claim<const N: usize>(values: [&[u8]; N]) -> Result<Claim, SignatureProblem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static(HEADER), HeaderValue::from_bytes(value).unwrap());
        }
        Claim::read(&headers)
    }

    #[test]
    fn githubs_published_example_is_proved() {
        let signatures = signatures("It's a Secret to Everybody", None);
        let claimed = claim([format!("sha256={DIGITS}").as_bytes()]).ok().unwrap();
        assert_eq!(signatures.prove(&claimed, BODY), Ok(()));
        assert_eq!(signatures.prove(&claimed, b"Hello, World?"), Err(SignatureProblem::Wrong));
        assert_eq!(signatures.prove(&claimed, b""), Err(SignatureProblem::Wrong));
    }

    #[test]
    fn the_previous_secret_counts_as_well_and_no_other() {
        let claimed = claim([format!("sha256={DIGITS}").as_bytes()]).ok().unwrap();
        let previous = signatures("a new secret, of 30 characters", Some("It's a Secret to Everybody"));
        assert_eq!(previous.prove(&claimed, BODY), Ok(()));
        let others = signatures("a new secret, of 30 characters", Some("another one, as long as that"));
        assert_eq!(others.prove(&claimed, BODY), Err(SignatureProblem::Wrong));
    }

    #[test]
    fn only_the_exact_form_is_a_claim() {
        let upper = DIGITS.to_uppercase();
        assert!(claim([format!("sha256={upper}").as_bytes()]).is_ok());
        for odd in [
            String::new(),
            DIGITS.to_owned(),
            format!("SHA256={DIGITS}"),
            format!("sha1={DIGITS}"),
            format!("sha256={}", &DIGITS[1..]),
            format!("sha256={}", &DIGITS[2..]),
            format!("sha256={DIGITS}00"),
            format!("sha256= {}", &DIGITS[1..]),
            format!("sha256={}zz", &DIGITS[2..]),
            format!("sha256={}é", &DIGITS[2..]),
            format!("sha256={DIGITS}, sha256={DIGITS}"),
            "sha256=".to_owned(),
        ] {
            assert_eq!(claim([odd.as_bytes()]).err(), Some(SignatureProblem::Malformed), "{odd:?}");
        }
        assert_eq!(claim([]).err(), Some(SignatureProblem::Missing));
        let right = format!("sha256={DIGITS}");
        assert_eq!(claim([right.as_bytes(), right.as_bytes()]).err(), Some(SignatureProblem::Repeated));
    }
}
