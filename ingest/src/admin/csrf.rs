//! Whether a change is asked for by a page or a program of ours: a browser sends what it knows of a password along, whoever's page
//! the request comes from.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::header::{self, HeaderMap};
use hmac::{Hmac, KeyInit as _, Mac as _, digest::InvalidLength};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::guard::Proof;

/// The header of a program, or of a page's script, that has the token in it.
pub(crate) const HEADER: &str = "x-csrf-token";

/// How long a page that has a token in it may be open before it is asked to be loaded again, in seconds.
const AGE_MAX: u64 = 12 * 3600;

/// How far the clocks of two `ingest` may be apart, in seconds.
const SKEW_MAX: u64 = 300;

/// Sets the key apart from other uses of the same secret.
const CONTEXT: &[u8] = b"autoscaler: a form of the private listener";

/// Makes the tokens of forms, and knows them again: also those of other `ingest` with the same secrets.
pub(crate) struct Csrf(Hmac<Sha256>);

/// Why a change is not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum CsrfProblem {
    /// A browser says that somebody else's page asks for it.
    #[error("the request comes from a page of another site")]
    Foreign,
    /// There is no token in it.
    #[error("the token of the form is missing: load the page again, or, from a program, send Authorization: Bearer")]
    Missing,
    /// It is none of ours, or too old.
    #[error("the token of the form is wrong or more than 12 hours old: load the page again")]
    Wrong,
}

impl Csrf {
    /// Tokens that need `secret` to be made: that of the private listener, or the webhook's where there is none.
    ///
    /// # Errors
    ///
    /// None that is known: HMAC takes keys of any length.
    pub(crate) fn new(secret: &SecretString) -> Result<Self, InvalidLength> {
        let secret = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())?;
        let key = secret.chain_update(CONTEXT).finalize().into_bytes();
        Ok(Self(Hmac::new_from_slice(&key)?))
    }

    /// A token for the forms of a page, to be sent back as a field of each.
    pub(crate) fn token(&self) -> String {
        self.at(now())
    }

    /// Proves that a form was sent by a page of ours: `token` is its field.
    ///
    /// # Errors
    ///
    /// [`CsrfProblem`]; the answer is 403, and says it.
    pub(crate) fn prove_form(&self, headers: &HeaderMap, token: Option<&str>) -> Result<(), CsrfProblem> {
        from_here(headers)?;
        self.check(token.ok_or(CsrfProblem::Missing)?, now())
    }

    /// Proves that JSON was sent by a program, or by a page of ours. The caller has seen that the content type is JSON's, which no page
    /// of another site may send.
    ///
    /// # Errors
    ///
    /// [`CsrfProblem`]; the answer is 403, and says it.
    pub(crate) fn prove_json(&self, headers: &HeaderMap, proof: Proof) -> Result<(), CsrfProblem> {
        from_here(headers)?;
        let token = headers.get(HEADER).map(|token| token.to_str().unwrap_or_default());
        match (proof, token) {
            (Proof::Bearer | Proof::Local, None) => Ok(()),
            (Proof::Basic, None) => Err(CsrfProblem::Missing),
            (_, Some(token)) => self.check(token, now()),
        }
    }

    /// When it was made, and a code of that.
    fn at(&self, seconds: u64) -> String {
        let code = self.0.clone().chain_update(seconds.to_be_bytes()).finalize().into_bytes();
        format!("{seconds}.{}", hex::encode(code))
    }

    fn check(&self, token: &str, now: u64) -> Result<(), CsrfProblem> {
        let read = || {
            let (seconds, code) = token.split_once('.')?;
            Some((seconds.parse::<u64>().ok()?, hex::decode(code).ok()?))
        };
        let (seconds, code) = read().ok_or(CsrfProblem::Wrong)?;
        let ours = self.0.clone().chain_update(seconds.to_be_bytes()).verify_slice(&code).is_ok();
        let fresh = seconds <= now.saturating_add(SKEW_MAX) && now.saturating_sub(seconds) <= AGE_MAX;
        if ours && fresh { Ok(()) } else { Err(CsrfProblem::Wrong) }
    }
}

/// Whether a browser, if it is one, says that the page is ours. `Sec-Fetch-Site` is its own word for it, which holds behind a proxy
/// too; it leaves that out where a page came by plain HTTP, and then says the page's origin.
fn from_here(headers: &HeaderMap) -> Result<(), CsrfProblem> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let here = match (text(header::HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(site), _) => ["same-origin", "none"].contains(&site),
        (None, Some(origin)) => {
            let place = origin.split_once("://").map(|(_scheme, place)| place);
            place.is_some() && place == text(header::HOST)
        }
        (None, None) => true,
    };
    if here { Ok(()) } else { Err(CsrfProblem::Foreign) }
}

/// Seconds of the wall clock: the token is for people, and for every `ingest`, so no other clock will do.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn csrf(secret: &str) -> Csrf {
        Csrf::new(&SecretString::from(secret)).unwrap()
    }

    fn headers<const N: usize>(headers: [(&'static str, &str); N]) -> HeaderMap {
        let pairs = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        pairs.into_iter().collect()
    }

    #[test]
    fn a_token_is_known_again_by_whoever_has_the_secret_for_half_a_day() {
        let token = csrf("the same secret").at(100_000);
        let other = csrf("the same secret");
        for now in [100_000 - SKEW_MAX, 100_000, 100_000 + AGE_MAX] {
            assert_eq!(other.check(&token, now), Ok(()), "{now}");
        }
        for now in [100_000 - SKEW_MAX - 1, 100_000 + AGE_MAX + 1] {
            assert_eq!(other.check(&token, now), Err(CsrfProblem::Wrong), "{now}");
        }
        assert_eq!(csrf("another secret").check(&token, 100_000), Err(CsrfProblem::Wrong));
    }

    /// An `ingest` of another version beside this one knows it, and no other use of the secret makes it.
    #[test]
    fn a_token_is_the_same_in_every_version() {
        let code = "37e3bb8a0d3d5f5372a4b059bfd55c2d8797139844b8f5d6a3e64f4e5779f888";
        assert_eq!(csrf("a secret").at(100_000), format!("100000.{code}"));
    }

    #[test]
    fn nothing_else_is_a_token() {
        let csrf = csrf("a secret");
        let token = csrf.at(100_000);
        let code = token.split_once('.').unwrap().1;
        for odd in [
            String::new(),
            ".".to_owned(),
            code.to_owned(),
            format!("100001.{code}"),
            format!("100000.{}", &code[2..]),
            format!("100000.{code}00"),
            "100000.".to_owned(),
            format!("-1.{code}"),
        ] {
            assert_eq!(csrf.check(&odd, 100_000), Err(CsrfProblem::Wrong), "{odd}");
        }
    }

    #[test]
    fn a_page_of_another_site_changes_nothing() {
        let csrf = csrf("a secret");
        let token = csrf.token();
        for ours in [
            headers([]),
            headers([("sec-fetch-site", "same-origin"), ("origin", "https://behind.a.proxy"), ("host", "ingest:5001")]),
            headers([("sec-fetch-site", "none")]),
            headers([("origin", "http://ingest:5001"), ("host", "ingest:5001")]),
        ] {
            assert_eq!(csrf.prove_form(&ours, Some(&token)), Ok(()), "{ours:?}");
        }
        for foreign in [
            headers([("sec-fetch-site", "cross-site")]),
            headers([("sec-fetch-site", "same-site"), ("origin", "http://ingest:5001"), ("host", "ingest:5001")]),
            headers([("origin", "http://ingest:5002"), ("host", "ingest:5001")]),
            headers([("origin", "http://evil.example"), ("host", "ingest:5001")]),
            headers([("origin", "null"), ("host", "ingest:5001")]),
            headers([("origin", "http://ingest:5001")]),
            headers([("origin", "null")]),
        ] {
            assert_eq!(csrf.prove_form(&foreign, Some(&token)), Err(CsrfProblem::Foreign), "{foreign:?}");
            assert_eq!(csrf.prove_json(&foreign, Proof::Bearer), Err(CsrfProblem::Foreign), "{foreign:?}");
        }
        assert_eq!(csrf.prove_form(&headers([]), None), Err(CsrfProblem::Missing));
        assert_eq!(csrf.prove_form(&headers([]), Some("1.00")), Err(CsrfProblem::Wrong));
    }

    #[test]
    fn json_needs_a_token_where_a_browser_sends_the_password_by_itself() {
        let csrf = csrf("a secret");
        let token = csrf.token();
        let (without, with) = (headers([]), headers([(HEADER, token.as_str())]));
        assert_eq!(csrf.prove_json(&without, Proof::Bearer), Ok(()));
        assert_eq!(csrf.prove_json(&without, Proof::Local), Ok(()));
        assert_eq!(csrf.prove_json(&without, Proof::Basic), Err(CsrfProblem::Missing));
        assert_eq!(csrf.prove_json(&with, Proof::Basic), Ok(()));
        assert_eq!(csrf.prove_json(&headers([(HEADER, "1.00")]), Proof::Basic), Err(CsrfProblem::Wrong));
    }
}
