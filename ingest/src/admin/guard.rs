//! Who may use the private listener: whoever knows `INGEST_ADMIN_TOKEN`; without one, whoever is on this machine.

use std::net::{IpAddr, SocketAddr};

use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderMap},
    },
    middleware::Next,
    web::Data,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _, digest::InvalidLength};
use prometheus_client::metrics::{counter::Counter, family::Family};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use shared::telemetry::Registry;
use tracing::{debug, warn};

use shared::admin::Answer;

/// What anybody may ask: whether the process is up, and what it lacks.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// Has a browser ask for user and password. Any user will do.
const CHALLENGE: &str = r#"Basic realm="INGEST_ADMIN_TOKEN as the password", charset="UTF-8""#;

/// Knows who may use the listener.
pub(crate) struct Guard {
    /// None when only this machine reaches the listener, which the settings see to.
    token: Option<Known>,
    refused: Family<[(&'static str, &'static str); 1], Counter>,
}

/// A token, known again in the same time wherever another one differs: its code by itself is compared, not the token.
struct Known {
    key: Hmac<Sha256>,
    code: Vec<u8>,
}

/// How a request proved that it may be answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Proof {
    /// A token in `Authorization: Bearer`, which a program sends only if it means to.
    Bearer,
    /// A token as the password, which a browser sends by itself once it knows it, wherever the request comes from.
    Basic,
    /// None is asked for.
    Local,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no token in it.
    #[error("the token is missing: send INGEST_ADMIN_TOKEN as Authorization: Bearer, or as the password of any user")]
    Missing,
    /// There is another one in it, or something that is none.
    #[error("the token is wrong: send INGEST_ADMIN_TOKEN as Authorization: Bearer, or as the password of any user")]
    Wrong,
    /// It is for a name that does not mean this machine: a page of somebody else's may have had its own name lead here.
    #[error(
        "the listener is for this machine alone: ask it as localhost or by its address, or set INGEST_ADMIN_TOKEN to open it under \
         other names"
    )]
    Host,
}

impl Refusal {
    const ALL: [Self; 3] = [Self::Missing, Self::Wrong, Self::Host];

    const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Host => "host",
        }
    }

    const fn code(self) -> StatusCode {
        match self {
            Self::Missing | Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
        }
    }

    fn answer(self) -> HttpResponse {
        let code = self.code();
        let mut response = HttpResponse::build(code);
        if code == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, CHALLENGE));
        }
        let status = if code == StatusCode::UNAUTHORIZED { "unauthorized" } else { "misdirected" };
        response.json(Answer { status, msg: &self.to_string() })
    }
}

impl Known {
    fn new(token: &SecretString) -> Result<Self, InvalidLength> {
        let token = token.expose_secret().as_bytes();
        let key = Hmac::<Sha256>::new_from_slice(token)?;
        let code = key.clone().chain_update(token).finalize().into_bytes().to_vec();
        Ok(Self { key, code })
    }

    fn is(&self, claimed: &[u8]) -> bool {
        self.key.clone().chain_update(claimed).verify_slice(&self.code).is_ok()
    }
}

impl Guard {
    /// Lets in whoever knows `token`. Adds its metric to `registry`.
    ///
    /// # Errors
    ///
    /// None that is known: HMAC takes keys of any length.
    pub(crate) fn new(token: Option<&SecretString>, registry: &Registry) -> Result<Self, InvalidLength> {
        let refused = Family::<[(&'static str, &'static str); 1], Counter>::default();
        for refusal in Refusal::ALL {
            drop(refused.get_or_create(&[("reason", refusal.word())]));
        }
        registry.register(|registry| {
            registry.register(
                "admin_refused",
                "Requests that the private listener refused, by reason",
                refused.clone(),
            );
        });
        Ok(Self { token: token.map(Known::new).transpose()?, refused })
    }

    /// How a request with these headers proves that it may be answered.
    ///
    /// # Errors
    ///
    /// Why it does not.
    fn prove(&self, headers: &HeaderMap) -> Result<Proof, Refusal> {
        let Some(known) = &self.token else {
            let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
            return if host.is_none_or(no_foreign_name) { Ok(Proof::Local) } else { Err(Refusal::Host) };
        };
        let mut values = headers.get_all(header::AUTHORIZATION);
        let value = values.next().ok_or(Refusal::Missing)?;
        let (proof, claimed) = credentials(value.as_bytes()).ok_or(Refusal::Wrong)?;
        if known.is(&claimed) && values.next().is_none() { Ok(proof) } else { Err(Refusal::Wrong) }
    }
}

/// The token in the value of `Authorization`.
fn credentials(value: &[u8]) -> Option<(Proof, Vec<u8>)> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some((Proof::Bearer, rest.to_vec()));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some((Proof::Basic, pair[colon + 1..].to_vec()))
}

/// Whether nobody but this machine decides where the name in a `Host` leads: it is an address, or `localhost`.
fn no_foreign_name(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// Answers requests that prove that they may be, but for those that anybody may make. How they did is in their extensions, as a [`Proof`].
pub(crate) async fn guard<B: MessageBody + 'static>(
    guard: Data<Guard>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if OPEN.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    match guard.prove(request.headers()) {
        Ok(proof) => {
            request.extensions_mut().insert(proof);
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(refusal) => {
            guard.refused.get_or_create(&[("reason", refusal.word())]).inc();
            let (peer, path) = (request.peer_addr().map(|peer: SocketAddr| peer.ip()), request.path());
            if refusal == Refusal::Missing {
                debug!(?peer, path, "Not answered on the private listener: {refusal}"); // so a browser begins
            } else {
                warn!(?peer, path, "Not answered on the private listener: {refusal}");
            }
            Ok(request.into_response(refusal.answer()).map_into_right_body())
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const TOKEN: &str = "a+token/of=24_characters";

    fn guarded(token: Option<&str>) -> Guard {
        let registry = Registry::new("ingest");
        Guard::new(token.map(SecretString::from).as_ref(), &registry).unwrap()
    }

    fn asked<const N: usize>(guard: &Guard, headers: [(header::HeaderName, &str); N]) -> Result<Proof, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        guard.prove(&map)
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    #[test]
    fn the_token_is_known_again_from_programs_and_from_browsers() {
        let guard = guarded(Some(TOKEN));
        for (value, proof) in [
            (format!("Bearer {TOKEN}"), Proof::Bearer),
            (format!("bearer  {TOKEN}"), Proof::Bearer),
            (basic(&format!("anybody:{TOKEN}")), Proof::Basic),
            (basic(&format!(":{TOKEN}")), Proof::Basic),
        ] {
            assert_eq!(asked(&guard, [(header::AUTHORIZATION, &value)]), Ok(proof), "{value}");
        }
    }

    #[test]
    fn nothing_else_is_let_in() {
        let guard = guarded(Some(TOKEN));
        assert_eq!(asked(&guard, []), Err(Refusal::Missing));
        for value in [
            String::new(),
            TOKEN.to_owned(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Bearer {}", &TOKEN[1..]),
            format!("Bearer {TOKEN}x"),
            format!("Bearer {}", TOKEN.to_uppercase()),
            format!("Token {TOKEN}"),
            format!("Basic {TOKEN}"),
            basic(TOKEN),
            basic(&format!("{TOKEN}:")),
            basic(&format!("user:{TOKEN}\0")),
            basic(&format!("user:x:{TOKEN}")),
        ] {
            assert_eq!(asked(&guard, [(header::AUTHORIZATION, &value)]), Err(Refusal::Wrong), "{value}");
        }
        let right = format!("Bearer {TOKEN}");
        let twice = [(header::AUTHORIZATION, right.as_str()), (header::AUTHORIZATION, right.as_str())];
        assert_eq!(asked(&guard, twice), Err(Refusal::Wrong), "which one counts is anybody's guess");
    }

    #[test]
    fn without_a_token_no_name_of_somebody_elses_leads_here() {
        let guard = guarded(None);
        assert_eq!(asked(&guard, []), Ok(Proof::Local));
        for host in ["localhost", "localhost:5001", "LOCALHOST:1", "127.0.0.1:5001", "[::1]:5001", "[::1]", "127.0.0.1"]
        {
            assert_eq!(asked(&guard, [(header::HOST, host)]), Ok(Proof::Local), "{host}");
        }
        for host in ["evil.example", "evil.example:5001", "localhost.evil.example", "127.0.0.1.evil.example:5001", ""] {
            assert_eq!(asked(&guard, [(header::HOST, host)]), Err(Refusal::Host), "{host}");
        }
    }
}
