//! A delivery: a request that is proved to come from GitHub.

use std::{borrow::Cow, str::FromStr};

use actix_web::{
    HttpRequest,
    dev::Payload,
    http::header::{AsHeaderName, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use shared::model::{DeliveryId, HookTarget, Traceparent};

use super::{
    body::{Body, BodyLimits},
    error::ReceiveError,
    signature::{Claim, Signatures},
};

const DELIVERY: &str = "X-GitHub-Delivery";
const EVENT: &str = "X-GitHub-Event";
const HOOK_ID: &str = "X-GitHub-Hook-ID";
const TRACEPARENT: &str = "traceparent";
const TARGET_TYPE: &str = "X-GitHub-Hook-Installation-Target-Type";

/// The event that a delivery tells of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum EventKind {
    /// `workflow_job`.
    WorkflowJob,
    /// `ping`: the hook was just made.
    Ping,
    /// One that nothing is done about.
    Other(String),
}

/// How the JSON lies in the body.
enum Encoding {
    Json,
    Form,
}

/// A request whose signature was proved, with what its head says. [`receive`](Self::receive) is the only way to get one.
pub(super) struct Delivery {
    id: DeliveryId,
    event: EventKind,
    target: HookTarget,
    hook: Option<u64>,
    traceparent: Option<Traceparent>,
    encoding: Encoding,
    body: Body,
}

impl Delivery {
    /// Reads a request and proves its signature over the raw body. Before that, nothing is looked at but the
    /// signature and the body's length.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`], which knows what the sender is told.
    pub(super) async fn receive(
        request: &HttpRequest,
        mut payload: Payload,
        signatures: &Signatures,
        limits: &BodyLimits,
    ) -> Result<Self, ReceiveError> {
        let headers = request.headers();
        let announced = announced_length(headers);
        limits.check(announced)?;
        let claim = Claim::read(headers)?;
        let body = limits.read(&mut payload, announced).await?;
        signatures.prove(&claim, body.bytes())?;
        Ok(Self {
            id: parsed(headers, DELIVERY)?,
            event: parsed(headers, EVENT)?,
            target: target(headers),
            hook: number(headers, HOOK_ID),
            traceparent: parsed(headers, TRACEPARENT).ok(),
            encoding: encoding(headers)?,
            body,
        })
    }

    /// Its GUID.
    pub(super) fn id(&self) -> &DeliveryId {
        &self.id
    }

    /// Its GUID, when no more of it is needed.
    pub(super) fn into_id(self) -> DeliveryId {
        self.id
    }

    /// What it tells of.
    pub(super) fn event(&self) -> &EventKind {
        &self.event
    }

    /// What the hook belongs to.
    pub(super) fn target(&self) -> HookTarget {
        self.target
    }

    /// The hook's id, if it says so.
    pub(super) fn hook(&self) -> Option<u64> {
        self.hook
    }

    /// The span of whoever passed it on, if there is one that says so.
    pub(super) fn traceparent(&self) -> Option<&Traceparent> {
        self.traceparent.as_ref()
    }

    /// The JSON in its body.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::NoPayload`] for a form that has none.
    pub(super) fn json(&self) -> Result<Cow<'_, [u8]>, ReceiveError> {
        let bytes = self.body.bytes();
        let Encoding::Form = self.encoding else { return Ok(Cow::Borrowed(bytes)) };
        let mut fields = form_urlencoded::parse(bytes);
        let (_, json) = fields.find(|(name, _)| name == "payload").ok_or(ReceiveError::NoPayload)?;
        Ok(match json {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }
}

/// The id that a request claims to have, for the log; not proved.
pub(super) fn claimed_id(request: &HttpRequest) -> Option<DeliveryId> {
    parsed(request.headers(), DELIVERY).ok()
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    number(headers, CONTENT_LENGTH)
}

fn number(headers: &HeaderMap, name: impl AsHeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Reads a header of which there must be one.
fn parsed<T: FromStr<Err: ToString>>(headers: &HeaderMap, name: &'static str) -> Result<T, ReceiveError> {
    let odd = |problem: String| ReceiveError::Header { name, problem };
    let mut values = headers.get_all(name);
    let value = values.next().ok_or_else(|| odd("is missing".to_owned()))?;
    if values.next().is_some() {
        return Err(odd("is there more than once".to_owned()));
    }
    let text = value.to_str().map_err(|_| odd("is not plain text".to_owned()))?;
    text.parse().map_err(|error: T::Err| odd(format!("is odd: {}", error.to_string())))
}

impl FromStr for EventKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "workflow_job" => Ok(Self::WorkflowJob),
            "ping" => Ok(Self::Ping),
            "" => Err("it is empty"),
            other => Ok(Self::Other(other.to_owned())),
        }
    }
}

/// Without the header, or with a value that is not known yet, the narrowest scope.
fn target(headers: &HeaderMap) -> HookTarget {
    match headers.get(TARGET_TYPE).map(HeaderValue::as_bytes) {
        Some(b"organization") => HookTarget::Organization,
        Some(b"business") => HookTarget::Enterprise,
        Some(b"integration") => HookTarget::App,
        _ => HookTarget::Repository,
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, ReceiveError> {
    let mut values = headers.get_all(CONTENT_TYPE);
    let (Some(value), None) = (values.next(), values.next()) else { return Err(ReceiveError::ContentType) };
    let text = value.to_str().map_err(|_| ReceiveError::ContentType)?;
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence).trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(Encoding::Json)
    } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(Encoding::Form)
    } else {
        Err(ReceiveError::ContentType)
    }
}
