//! Answers as GitHub words them.

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError, http::StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;
use shared::model::Scope;

use super::super::{
    hub::Caller,
    permission::{Lack, Need},
    state::Refusal,
};

/// Where GitHub's errors send their reader.
pub(in super::super) const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// A call that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {message}")]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    /// What is wrong in particular, where GitHub says so in a list.
    errors: Option<serde_json::Value>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: None }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "message": self.message,
            "documentation_url": DOCUMENTATION,
            "status": self.status.as_str(),
        });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        HttpResponse::build(self.status).json(body)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::not_found(),
            Refusal::Exists(message) => Self::new(StatusCode::CONFLICT, message),
            Refusal::Invalid(message) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            Refusal::Hook(message) => Self {
                errors: Some(json!([{ "resource": "Hook", "code": "custom", "message": message }])),
                ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed")
            },
        }
    }
}

/// What a call was allowed to do, for the headers of its answer.
#[derive(Clone, Debug)]
pub(super) struct Asked(pub(super) Need, pub(super) Scope);

/// The scope that the path names, if the caller may do this there.
pub(super) fn allowed(request: &HttpRequest, need: Need) -> Result<Scope, ApiError> {
    let scope = scope(request).ok_or_else(ApiError::not_found)?;
    request.extensions_mut().insert(Asked(need, scope.clone()));
    let permissions = request.extensions().get::<Caller>().and_then(|caller| caller.permissions.clone());
    match permissions.map(|permissions| permissions.check(need, &scope)) {
        Some(Ok(())) => Ok(scope),
        Some(Err(Lack::Permission { message, not_found: false })) => Err(ApiError::new(StatusCode::FORBIDDEN, message)),
        Some(Err(_)) | None => Err(ApiError::not_found()),
    }
}

/// The scope that the path names.
pub(super) fn scope(request: &HttpRequest) -> Option<Scope> {
    let path = request.match_info();
    if let Some(login) = path.get("org") {
        return Scope::organization(login).ok();
    }
    if let Some(slug) = path.get("enterprise") {
        return Scope::enterprise(slug).ok();
    }
    format!("{}/{}", path.get("owner")?, path.get("repo")?).parse().map(Scope::Repository).ok()
}

/// Reads a body of JSON.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
    serde_json::from_value(value)
        .map_err(|error| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, format!("Invalid request.\n\n{error}.")))
}

/// The id that the path has under this name.
pub(super) fn id(request: &HttpRequest, name: &str) -> Result<u64, ApiError> {
    request.match_info().get(name).and_then(|id| id.parse().ok()).ok_or_else(ApiError::not_found)
}
