//! What the sender of a delivery is told.

use std::borrow::Cow;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

use shared::admin::Answer as Body;

/// When to try again after 503, in seconds.
const RETRY_AFTER: &str = "5";

/// What became of a delivery. Its word is the answer's `status` and the label in the metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// The job is in the queue.
    Queued,
    /// The job is cancelled in the queue.
    Cancelled,
    /// The job's record has it.
    Noted,
    /// It was dealt with before.
    Duplicate,
    /// It asks for nothing that is done here.
    Ignored,
    /// GitHub tried the hook out.
    Pong,
    /// Its signature is missing, malformed or wrong.
    Unauthorized,
    /// Its signature is right, but nothing can be made of it.
    Malformed,
    /// Its content type is none that GitHub's hooks have.
    Unsupported,
    /// Its body is larger than the limit.
    TooLarge,
    /// Its body did not arrive in time.
    TooSlow,
    /// It could not be stored, or there was no room for it.
    Unavailable,
}

impl Verdict {
    /// Every verdict.
    pub(crate) const ALL: [Self; 12] = [
        Self::Queued,
        Self::Cancelled,
        Self::Noted,
        Self::Duplicate,
        Self::Ignored,
        Self::Pong,
        Self::Unauthorized,
        Self::Malformed,
        Self::Unsupported,
        Self::TooLarge,
        Self::TooSlow,
        Self::Unavailable,
    ];

    /// The word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Cancelled => "cancelled",
            Self::Noted => "noted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Pong => "pong",
            Self::Unauthorized => "unauthorized",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Unavailable => "unavailable",
        }
    }

    pub(super) const fn code(self) -> StatusCode {
        match self {
            Self::Queued | Self::Cancelled | Self::Noted => StatusCode::ACCEPTED,
            Self::Duplicate | Self::Ignored | Self::Pong => StatusCode::OK,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// An answer to a delivery.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) msg: Cow<'static, str>,
}

impl Answer {
    pub(super) fn new(verdict: Verdict, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict, msg: msg.into() }
    }
}

impl From<Answer> for HttpResponse {
    fn from(answer: Answer) -> Self {
        let code = answer.verdict.code();
        let mut response = HttpResponse::build(code);
        if code == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        response.json(Body { status: answer.verdict.word(), msg: &answer.msg })
    }
}
