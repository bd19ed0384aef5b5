//! How runners get in: tokens and just-in-time configurations.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use time::{UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

use super::{
    super::{
        hub::Hub,
        permission::Need,
        state::{Grant, JitRequest, Purpose},
    },
    answer::{ApiError, allowed, body},
};

/// The offset of the times in GitHub's answers here, which are not in UTC.
const OFFSET: UtcOffset = match UtcOffset::from_hms(-8, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};
const TIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3][offset_hour sign:mandatory]:[offset_minute]"
);

pub(super) async fn registration_token(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    token(&hub, &request, Purpose::Register)
}

pub(super) async fn remove_token(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    token(&hub, &request, Purpose::Remove)
}

pub(super) async fn jit_config(hub: Data<Hub>, request: HttpRequest, bytes: Bytes) -> Result<HttpResponse, ApiError> {
    let scope = allowed(&request, Need::Runners)?;
    let jit: JitRequest = body(&bytes)?;
    let (runner, files) = hub.change(|state, _| state.register_jit(&scope, jit))?;
    Ok(HttpResponse::Created().json(json!({ "runner": runner.document(), "encoded_jit_config": encoded(&files) })))
}

fn token(hub: &Hub, request: &HttpRequest, purpose: Purpose) -> Result<HttpResponse, ApiError> {
    let scope = allowed(request, Need::Runners)?;
    let Grant { token, expires_at } = hub.change(|state, now| state.grant(purpose, &scope, now));
    let expires_at = expires_at.to_offset(OFFSET).format(TIME).unwrap_or_default();
    Ok(HttpResponse::Created().json(json!({ "token": token, "expires_at": expires_at })))
}

/// Base64 of a JSON object: names of files, and base64 of their content.
fn encoded(files: &Value) -> String {
    let files: Map<String, Value> = files
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, content)| (name.clone(), json!(STANDARD.encode(content.as_str().unwrap_or_default()))))
        .collect();
    STANDARD.encode(Value::Object(files).to_string())
}
