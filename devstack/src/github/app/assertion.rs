//! The JSON web token by which an App says who it is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rsa::KeyPair,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use rustls::pki_types::{PrivatePkcs1KeyDer, pem::PemObject as _};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, de::DeserializeOwned};
use time::{Duration, OffsetDateTime};

use super::App;

/// How long an assertion may be good for.
const LONGEST: Duration = Duration::minutes(10);

/// What was shown in place of a token: something with the form of a JSON web token.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Shown<'a>(&'a str);

/// Why it does not prove who the caller is, in GitHub's words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Mistake {
    /// 404
    NoSuchApp,
    /// 401
    Wrong(&'static str),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: Issuer,
}

/// GitHub takes both.
#[derive(Deserialize)]
#[serde(untagged)]
enum Issuer {
    Number(u64),
    Text(String),
}

impl<'a> Shown<'a> {
    /// `None` for what has another form.
    pub(in super::super) fn of(token: &'a str) -> Option<Self> {
        (token.split('.').count() == 3).then_some(Self(token))
    }

    /// The App that it is of.
    pub(in super::super) fn check(self, apps: &[App], now: OffsetDateTime) -> Result<&App, Mistake> {
        const UNREADABLE: Mistake = Mistake::Wrong("A JSON web token could not be decoded");
        let (signed, signature) = self.0.rsplit_once('.').ok_or(UNREADABLE)?;
        let (header, claims) = signed.split_once('.').ok_or(UNREADABLE)?;
        let header: Header = part(header).ok_or(UNREADABLE)?;
        let claims: Claims = part(claims).ok_or(UNREADABLE)?;
        let issuer = match claims.iss {
            Issuer::Number(id) => id.to_string(),
            Issuer::Text(id) => id,
        };
        let app = apps.iter().find(|app| app.id.to_string() == issuer).ok_or(Mistake::NoSuchApp)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| UNREADABLE)?;
        let public = public_key(app).ok_or(UNREADABLE)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        if header.alg != "RS256" || key.verify(signed.as_bytes(), &signature).is_err() {
            return Err(UNREADABLE);
        }
        let now = now.unix_timestamp();
        if claims.iat > now {
            let message =
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
            return Err(Mistake::Wrong(message));
        }
        if claims.exp <= now {
            let message = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which \
                           the assertion expires";
            return Err(Mistake::Wrong(message));
        }
        if claims.exp > now + LONGEST.whole_seconds() {
            return Err(Mistake::Wrong("'Expiration time' claim ('exp') is too far in the future"));
        }
        Ok(app)
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn public_key(app: &App) -> Option<Vec<u8>> {
    let key = PrivatePkcs1KeyDer::from_pem_slice(app.key.expose_secret().as_bytes()).ok()?;
    Some(KeyPair::from_der(key.secret_pkcs1_der()).ok()?.public_key().as_ref().to_vec())
}
