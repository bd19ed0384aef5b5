//! Bodies of requests that change something.

use std::time::Duration;

use actix_web::{
    http::{
        StatusCode,
        header::{self, HeaderMap},
    },
    web::Payload,
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// The largest body, in bytes: a thousand jobs have 20 kB.
const BYTES_MAX: usize = 64 * 1024;

/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(5);

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// No page of another site may send JSON, so nothing else is taken.
    #[error("the body is JSON: send Content-Type: application/json")]
    ContentType,
    /// It is larger than the limit.
    #[error("the body is larger than {BYTES_MAX} bytes: name fewer jobs at once")]
    TooLarge,
    /// It did not arrive in time, or not as a whole.
    #[error("the body did not arrive")]
    Broken,
    /// It is no JSON, or none that is meant.
    #[error("the body is not what is meant; GET /api/v1/openapi.json describes it")]
    Malformed(#[from] serde_json::Error),
}

impl BodyError {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::ContentType => "unsupported",
            Self::TooLarge => "too_large",
            Self::Broken => "too_slow",
            Self::Malformed(_) => "invalid",
        }
    }

    pub(super) fn code(&self) -> StatusCode {
        match self {
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Whether the headers say that the body is JSON.
///
/// # Errors
///
/// [`BodyError::ContentType`].
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), BodyError> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said.and_then(|value| value.split(';').next()).map(str::trim);
    if said.is_some_and(|said| said.eq_ignore_ascii_case("application/json")) {
        Ok(())
    } else {
        Err(BodyError::ContentType)
    }
}

/// Reads a body.
///
/// # Errors
///
/// [`BodyError`].
pub(super) async fn read<T: DeserializeOwned>(payload: Payload) -> Result<T, BodyError> {
    let arrived = timeout(DEADLINE, payload.to_bytes_limited(BYTES_MAX)).await.map_err(|_elapsed| BodyError::Broken)?;
    let bytes = arrived.map_err(|_larger| BodyError::TooLarge)?.map_err(|_broken| BodyError::Broken)?;
    Ok(serde_json::from_slice(&bytes)?)
}
