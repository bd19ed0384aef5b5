//! Why a request was not done.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use shared::{model::JobId, queue::QueueError, telemetry::chain};

use super::{super::csrf::CsrfProblem, body::BodyError};
use shared::admin::Answer;

/// When to try again after 503, in seconds.
const RETRY_AFTER: &str = "5";

/// Why a request was not done. Its message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// A parameter or a field is none that there is, or has no such value.
    #[error("{0}; GET /api/v1/openapi.json describes what may be asked")]
    Invalid(String),

    /// There is no such job.
    #[error("job {job} is not known: it never came, or it ended more than {days} days ago")]
    UnknownJob { job: JobId, days: u64 },

    /// It may have been asked for by a page of another site.
    #[error("{0}")]
    Foreign(#[from] CsrfProblem),

    /// Its body cannot be read.
    #[error("{0}")]
    Body(#[from] BodyError),

    /// The queue failed.
    #[error("the queue failed")]
    Queue(#[from] QueueError),

    /// The queue did not answer in time.
    #[error("the queue did not answer within {0:?}")]
    Late(Duration),
}

impl ApiError {
    /// A word for it, for programs.
    fn word(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::UnknownJob { .. } => "not_found",
            Self::Foreign(_) => "forbidden",
            Self::Body(error) => error.word(),
            Self::Queue(_) | Self::Late(_) => "unavailable",
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::UnknownJob { .. } => StatusCode::NOT_FOUND,
            Self::Foreign(_) => StatusCode::FORBIDDEN,
            Self::Body(error) => error.code(),
            Self::Queue(_) | Self::Late(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let code = self.status_code();
        let mut response = HttpResponse::build(code);
        let mut msg = chain(self);
        if code == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
            msg += "; GET /readyz says whether it is there, and the request may be repeated";
        }
        response.json(Answer { status: self.word(), msg: &msg })
    }
}
