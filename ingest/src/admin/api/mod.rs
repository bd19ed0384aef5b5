//! `/api/v1`: what the commands of `worker` show and change, with the same JSON.

mod body;
mod dead;
mod error;
pub(crate) mod openapi;
mod read;

use actix_web::{HttpRequest, Resource, error::QueryPayloadError, web};
use serde::de::DeserializeOwned;

pub(crate) use error::ApiError;

use shared::admin::only;

/// All there is, by its path.
pub(super) fn resources() -> Vec<(&'static str, Resource)> {
    let get = |path, route: actix_web::Route| (path, web::resource(path).route(route).default_service(only("GET")));
    let post = |path, route: actix_web::Route| (path, web::resource(path).route(route).default_service(only("POST")));
    vec![
        get("/api/v1/status", web::get().to(read::status)),
        get("/api/v1/runners", web::get().to(read::runners)),
        get("/api/v1/jobs", web::get().to(read::jobs)),
        get("/api/v1/jobs/{id}", web::get().to(read::job)),
        get("/api/v1/jobs/{id}/explain", web::get().to(read::explain)),
        get("/api/v1/dead", web::get().to(dead::list)),
        post("/api/v1/dead/replay", web::post().to(dead::replay)),
        post("/api/v1/dead/drop", web::post().to(dead::drop)),
        get("/api/v1/openapi.json", web::get().to(openapi::document)),
    ]
}

/// Reads a request's query.
///
/// # Errors
///
/// [`ApiError::Invalid`], also for a parameter that there is not.
fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let read = web::Query::from_query(request.query_string());
    read.map(web::Query::into_inner).map_err(|error| match error {
        QueryPayloadError::Deserialize(error) => ApiError::Invalid(error.to_string()),
        error => ApiError::Invalid(error.to_string()),
    })
}
