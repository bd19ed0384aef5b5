//! What every call goes through: faults, identification, the rate limit, and the headers that every answer has.

use std::{convert::Infallible, io, time::Instant};

use actix_web::{
    Error, HttpMessage as _, HttpResponse, ResponseError as _,
    body::{BodyStream, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
    },
    middleware::Next,
    web::Data,
};
use futures_util::stream;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::{Duration, sleep};

use super::{
    super::{
        Call, Effect,
        hub::{Caller, Hub},
    },
    answer::{ApiError, Asked},
};

/// Where the API is.
const BASE: &str = "/api/v3";
/// The call that costs nothing.
const FREE: &str = "/rate_limit";
/// GitHub's words to those who do not say who they are.
const NO_USER_AGENT: &str = "\r\nRequest forbidden by administrative rules. Please make sure your request has a \
                             User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api\
                             #user-agent-required).\r\n";

/// Calls of the API.
pub(super) async fn api(
    hub: Data<Hub>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let path = below(BASE, request.path());
    let caller = hub.caller(token(request.headers()), path == FREE);
    request.extensions_mut().insert(caller.clone());
    let refused = refusal(&request, &caller);
    let mut response = befallen(&hub, request, refused, next).await?;
    let asked = response.request().extensions().get::<Asked>().cloned();
    let permitted = caller
        .permissions
        .iter()
        .flat_map(|permissions| permissions.headers(asked.as_ref().map(|Asked(need, scope)| (*need, scope))));
    let id = format!("{:04X}:{:08X}", fastrand::u16(..), fastrand::u32(..));
    let others = [("x-github-request-id", id), ("x-github-media-type", "github.v3; format=json".to_owned())];
    for (name, value) in caller.budget.headers().into_iter().chain(others).chain(permitted) {
        // What a fault says of itself stays.
        if !response.headers().contains_key(name)
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

/// Requests of runners.
pub(super) async fn protocol(
    hub: Data<Hub>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    befallen(&hub, request, None, next).await
}

/// Carries the call out, unless it is `refused` or a fault befalls it; and keeps it.
async fn befallen(
    hub: &Hub,
    request: ServiceRequest,
    refused: Option<HttpResponse>,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = Instant::now();
    let mut call = Call {
        at: OffsetDateTime::now_utc(),
        method: request.method().to_string(),
        route: request.match_pattern().map_or_else(|| "unknown".to_owned(), |route| below(BASE, &route).to_owned()),
        path: below(BASE, request.path()).to_owned(),
        status: None,
        took: Duration::ZERO,
    };
    let effect = hub.look(|inner| inner.faults.take(&call.method, &call.path));
    let lost = matches!(effect, Some(Effect::Lost));
    let late = if let Some(Effect::Late(millis)) = effect { Duration::from_millis(millis) } else { Duration::ZERO };
    let refused = match effect {
        Some(Effect::Hang) => {
            hub.called(call);
            // Until the client goes, or the stand-in stops.
            match std::future::pending::<Infallible>().await {}
        }
        Some(Effect::Answer { status, body, headers }) => Some(answer(status, &body, headers)),
        Some(Effect::Delay(millis)) => {
            sleep(Duration::from_millis(millis)).await;
            refused
        }
        Some(Effect::Late(_) | Effect::Lost) | None => refused,
    };
    let mut response = match refused {
        Some(response) => request.into_response(response),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    sleep(late).await;
    if lost {
        // The connection is closed when the body fails, before anything of the answer was sent.
        let broken = || stream::iter([Err::<actix_web::web::Bytes, _>(io::Error::from(io::ErrorKind::BrokenPipe))]);
        response = response.map_body(|_, _| BoxBody::new(BodyStream::new(broken())));
    }
    call.status = (!lost).then(|| response.status().as_u16());
    call.took = begun.elapsed();
    hub.called(call);
    Ok(response)
}

/// How GitHub refuses a call whatever it is for.
fn refusal(request: &ServiceRequest, caller: &Caller) -> Option<HttpResponse> {
    if request.headers().get(USER_AGENT).is_none_or(HeaderValue::is_empty) {
        return Some(HttpResponse::Forbidden().content_type("text/html").body(NO_USER_AGENT));
    }
    if caller.exhausted {
        let message = "API rate limit exceeded for user ID 1.";
        return Some(ApiError::new(StatusCode::FORBIDDEN, message).error_response());
    }
    if let Some(left) = caller.limited {
        let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        let mut response = ApiError::new(StatusCode::FORBIDDEN, message).error_response();
        let seconds = HeaderValue::from(left.as_secs() + 1);
        response.headers_mut().insert(RETRY_AFTER, seconds);
        return Some(response);
    }
    if caller.permissions.is_none() && caller.app.is_none() {
        let given = request.headers().contains_key(AUTHORIZATION);
        let message = if given { "Bad credentials" } else { "Requires authentication" };
        return Some(ApiError::new(StatusCode::UNAUTHORIZED, message).error_response());
    }
    None
}

fn answer(status: u16, body: &Value, headers: impl IntoIterator<Item = (String, String)>) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in headers {
        response.insert_header(header);
    }
    match body {
        Value::Null => response.finish(),
        Value::String(text) => response.content_type("text/plain").body(text.clone()),
        body => response.insert_header((CONTENT_TYPE, "application/json; charset=utf-8")).body(body.to_string()),
    }
}

/// The token of an `Authorization` header, by either word that GitHub takes.
fn token(headers: &HeaderMap) -> Option<&str> {
    let (word, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    ["bearer", "token"].iter().any(|known| word.eq_ignore_ascii_case(known)).then_some(token.trim())
}

fn below<'a>(base: &str, path: &'a str) -> &'a str {
    path.strip_prefix(base).unwrap_or(path)
}
