//! Why a delivery was not taken.

use std::time::Duration;

use shared::{queue::QueueError, workflow_job::cut};

use super::{
    answer::{Answer, Verdict},
    signature::SignatureProblem,
};

/// The most characters of an error that the sender is shown.
const SHOWN_CHARS_MAX: usize = 500;

/// Why a delivery was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiveError {
    /// Its body is larger than `INGEST_MAX_BODY_BYTES`.
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },

    /// Its body did not arrive in time.
    #[error("the body did not arrive within {0:?}")]
    TooSlow(Duration),

    /// The connection broke, or its framing did.
    #[error("the body ended early: {0}")]
    Broken(#[from] actix_web::error::PayloadError),

    /// Other bodies take up all the memory there is for them.
    #[error("there is no room for the body")]
    NoRoom,

    /// Nobody who knows the secret has signed it.
    #[error("{0}")]
    Unsigned(#[from] SignatureProblem),

    /// A header that every delivery has is not there once, or makes no sense.
    #[error("{name} {problem}")]
    Header { name: &'static str, problem: String },

    /// Neither JSON nor a form.
    #[error("the content type is neither application/json nor application/x-www-form-urlencoded")]
    ContentType,

    /// A form without the field that holds the JSON.
    #[error("the form has no field payload")]
    NoPayload,

    /// Not the JSON of a `workflow_job` event.
    #[error("the body is no workflow_job event: {}", cut(&.0.to_string(), SHOWN_CHARS_MAX))]
    Malformed(#[from] serde_json::Error),

    /// It asks for something that cannot be.
    #[error("{0}")]
    Refused(String),

    /// The queue failed. What it was asked for may have happened: a redelivery finds out.
    #[error("the queue failed")]
    Queue(#[from] QueueError),

    /// The call to the queue was broken off, as when the process ends. What it was asked for may have happened: a redelivery finds out.
    #[error("the call to the queue was broken off")]
    BrokenOff,

    /// The queue did not answer in time. What it was asked for may have happened: a redelivery finds out.
    #[error("the queue did not answer within {0:?}")]
    QueueTooSlow(Duration),
}

impl ReceiveError {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::TooLarge { .. } => Verdict::TooLarge,
            Self::TooSlow(_) => Verdict::TooSlow,
            Self::Unsigned(_) => Verdict::Unauthorized,
            Self::Broken(_) | Self::Header { .. } | Self::NoPayload | Self::Malformed(_) | Self::Refused(_) => {
                Verdict::Malformed
            }
            Self::ContentType => Verdict::Unsupported,
            Self::NoRoom | Self::Queue(_) | Self::BrokenOff | Self::QueueTooSlow(_) => Verdict::Unavailable,
        }
    }
}

impl From<&ReceiveError> for Answer {
    /// What the sender may know: why a signed delivery is of no use, and nothing of what goes on in here.
    fn from(error: &ReceiveError) -> Self {
        let verdict = error.verdict();
        match verdict {
            Verdict::Unauthorized => Self::new(verdict, "the signature is missing, malformed or wrong"),
            Verdict::Unavailable => Self::new(verdict, "the delivery cannot be stored now; deliver it again later"),
            _ => Self::new(verdict, error.to_string()),
        }
    }
}
