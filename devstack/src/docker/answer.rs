//! How the engine refuses.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

/// A refusal, in the engine's words.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, String);

impl Refusal {
    pub(super) fn no_container(id: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("No such container: {id}"))
    }

    pub(super) fn no_image(name: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("No such image: {name}"))
    }

    pub(super) fn no(what: &str, name: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("{what} {name} not found"))
    }

    pub(super) fn no_pull(name: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("manifest for {name} not found: this engine pulls nothing"))
    }

    pub(super) fn name_taken(name: &str, id: &str) -> Self {
        let message = format!(
            "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or \
             rename) that container to be able to reuse that name."
        );
        Self(StatusCode::CONFLICT, message)
    }

    pub(super) fn in_use(network: &str) -> Self {
        Self(StatusCode::FORBIDDEN, format!("error while removing network: network {network} has active endpoints"))
    }

    pub(super) fn runs(id: &str) -> Self {
        let message = format!(
            "You cannot remove a running container {id}. Stop the container before attempting removal or force remove"
        );
        Self(StatusCode::CONFLICT, message)
    }

    pub(super) fn odd(problem: impl fmt::Display) -> Self {
        Self(StatusCode::BAD_REQUEST, problem.to_string())
    }

    pub(super) fn failed(problem: impl fmt::Display) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, problem.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.0
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.0).json(json!({ "message": self.1 }))
    }
}
