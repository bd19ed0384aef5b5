//! What the stand-in runner speaks: GitHub's own protocol is not public, and this one is no copy of it.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::AUTHORIZATION},
    web::{Bytes, Data, Json, Path},
};
use serde::Deserialize;
use serde_json::json;
use shared::model::Scope;
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        hub::Hub,
        state::{Finished, Gone, Key, NoSession, Polled, TokenRequest},
    },
    answer::{ApiError, body},
};

/// What `config.sh` sends.
#[derive(Deserialize)]
struct Registration {
    /// The page of the scope.
    url: String,
    #[serde(flatten)]
    request: TokenRequest,
}

/// A request that waits for a job. It ends when this is dropped, which it is when the runner hangs up.
struct Poll {
    hub: Arc<Hub>,
    key: Key,
    session: String,
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.hub.change(|state, now| state.end_poll(&self.key, &self.session, now));
    }
}

pub(super) async fn register(hub: Data<Hub>, request: HttpRequest, bytes: Bytes) -> Result<HttpResponse, ApiError> {
    let registration: Registration = body(&bytes)?;
    let scope = scope(&registration.url).ok_or_else(ApiError::not_found)?;
    let token = credential(&request, "RemoteAuth").ok_or_else(unauthorized)?;
    let (runner, files) = hub.change(|state, now| state.register_by_token(&scope, token, registration.request, now))?;
    Ok(HttpResponse::Created().json(json!({ "runner": runner.document(), "files": files })))
}

pub(super) async fn deregister(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    hub.change(|state, now| state.deregister(&key, now))?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn open(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    let session = hub.change(|state, now| state.open_session(&key, now))?;
    Ok(HttpResponse::Created().json(json!({ "session": session })))
}

pub(super) async fn close(
    hub: Data<Hub>,
    request: HttpRequest,
    session: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    hub.change(|state, now| state.close_session(&key, &session, now))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Waits for a job: 200 with it, or 204 when there was none in time.
pub(super) async fn message(
    hub: Data<Hub>,
    request: HttpRequest,
    session: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    let session = session.into_inner();
    let until = Instant::now() + hub.config.timings.poll;
    let mut changes = hub.changes(); // before the first look, so that none is missed
    hub.change(|state, now| state.begin_poll(&key, &session, now))?;
    let poll = Poll { hub: hub.into_inner(), key, session };
    loop {
        match poll.hub.settle(|state, now| state.poll(&poll.key, &poll.session, now))? {
            Polled::Job(job) => return Ok(HttpResponse::Ok().json(job)),
            Polled::Nothing => match timeout_at(until, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(HttpResponse::NoContent().finish()),
            },
        }
    }
}

pub(super) async fn accept(
    hub: Data<Hub>,
    request: HttpRequest,
    path: Path<(String, u64)>,
) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    let (session, job) = path.into_inner();
    hub.change(|state, now| state.accept(&key, &session, job, now))?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn renew(
    hub: Data<Hub>,
    request: HttpRequest,
    path: Path<(String, u64)>,
) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    let (session, job) = path.into_inner();
    let cancelled = hub.settle(|state, now| state.renew(&key, &session, job, now))?;
    Ok(HttpResponse::Ok().json(json!({ "cancelled": cancelled })))
}

pub(super) async fn finish(
    hub: Data<Hub>,
    request: HttpRequest,
    path: Path<(String, u64)>,
    finished: Json<Finished>,
) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    let (session, job) = path.into_inner();
    hub.change(|state, now| state.finish(&key, &session, job, &finished, now))?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<NoSession> for ApiError {
    fn from(none: NoSession) -> Self {
        match none {
            NoSession::Deleted => Self::new(StatusCode::UNAUTHORIZED, "The runner registration has been deleted."),
            NoSession::Conflict => Self::new(StatusCode::CONFLICT, "A session for this runner already exists."),
            NoSession::Ended => Self::new(StatusCode::GONE, "The session has ended."),
        }
    }
}

impl From<Gone> for ApiError {
    fn from(_: Gone) -> Self {
        Self::new(StatusCode::GONE, "The job is not this runner's.")
    }
}

fn key(request: &HttpRequest) -> Result<Key, ApiError> {
    credential(request, "Runner").and_then(Key::parse).ok_or_else(unauthorized)
}

fn credential<'a>(request: &'a HttpRequest, word: &str) -> Option<&'a str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(word)?.strip_prefix(' ')
}

fn unauthorized() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "The runner did not say who it is.")
}

/// The scope whose page this is.
fn scope(url: &str) -> Option<Scope> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    path.trim_end_matches('/').parse().ok()
}
