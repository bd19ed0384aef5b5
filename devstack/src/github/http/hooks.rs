//! Webhooks: they are made, corrected, removed and pinged.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data, Query},
};
use serde_json::{Value, json};
use shared::model::Scope;
use time::OffsetDateTime;

use super::{
    super::{
        HookTarget,
        hooks::{Config, Hook, Wish},
        hub::Hub,
        permission::Need,
    },
    answer::{ApiError, allowed, body, id},
    app::asserted,
    page::Page,
};

pub(super) async fn list(hub: Data<Hub>, request: HttpRequest, page: Query<Page>) -> Result<HttpResponse, ApiError> {
    let place = allowed(&request, Need::Hooks)?;
    let hooks = hub.hooks(&place);
    let mut response = HttpResponse::Ok();
    if let Some(link) = page.link(&request, &hub.public_url, hooks.len()) {
        response.insert_header(link);
    }
    Ok(response.json(page.cut(hooks).iter().map(|hook| document(&hub, hook)).collect::<Vec<Value>>()))
}

pub(super) async fn add(hub: Data<Hub>, request: HttpRequest, bytes: Bytes) -> Result<HttpResponse, ApiError> {
    let place = allowed(&request, Need::Hooks)?;
    let wish: Wish = body(&bytes)?;
    let hook = hub.look(|inner| inner.hooks.add(&place, wish, OffsetDateTime::now_utc()))?;
    hub.announce(hook.ping());
    Ok(HttpResponse::Created().json(document(&hub, &hook)))
}

pub(super) async fn get(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let (_, hook) = named(&hub, &request)?;
    Ok(HttpResponse::Ok().json(document(&hub, &hook)))
}

pub(super) async fn change(hub: Data<Hub>, request: HttpRequest, bytes: Bytes) -> Result<HttpResponse, ApiError> {
    let (place, hook) = named(&hub, &request)?;
    let wish: Wish = body(&bytes)?;
    let hook = hub.look(|inner| inner.hooks.change(&place, hook.id, wish, OffsetDateTime::now_utc()))?;
    Ok(HttpResponse::Ok().json(document(&hub, &hook)))
}

pub(super) async fn remove(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let (place, hook) = named(&hub, &request)?;
    if hub.look(|inner| inner.hooks.remove(&place, hook.id)) {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(ApiError::not_found())
}

pub(super) async fn ping(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let (_, hook) = named(&hub, &request)?;
    hub.announce(hook.ping());
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn app(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    asserted(&request)?;
    let own = hub.webhook().filter(|webhook| webhook.target == Some(HookTarget::Integration));
    let own = own.ok_or_else(ApiError::not_found)?;
    Ok(HttpResponse::Ok().json(Config::of(&own).document()))
}

pub(super) async fn change_app(hub: Data<Hub>, request: HttpRequest, bytes: Bytes) -> Result<HttpResponse, ApiError> {
    asserted(&request)?;
    let config: Config = body(&bytes)?;
    let webhook = config.of_app(hub.webhook());
    hub.set_webhook(Some(webhook.clone()));
    Ok(HttpResponse::Ok().json(Config::of(&webhook).document()))
}

/// The webhook that the path names, if the caller may know of it.
fn named(hub: &Hub, request: &HttpRequest) -> Result<(Scope, Hook), ApiError> {
    let place = allowed(request, Need::Hooks)?;
    let id = id(request, "hook_id")?;
    let hook = hub.hooks(&place).into_iter().find(|hook| hook.id == id);
    Ok((place, hook.ok_or_else(ApiError::not_found)?))
}

fn document(hub: &Hub, hook: &Hook) -> Value {
    let last = hub.look(|inner| inner.delivered.iter().rev().find(|it| it.hook == hook.id).cloned());
    let last = last.map(|last| {
        let word = if last.status.is_some_and(|status| status < 300) { "active" } else { "failed" };
        json!({ "code": last.status, "status": word, "message": last.status.map_or("timed out", |_| word) })
    });
    hook.document(&format!("{}/api/v3", hub.public_url), last.as_ref())
}
