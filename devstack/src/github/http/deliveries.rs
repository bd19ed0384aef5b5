//! The deliveries of a hook, and how one is asked for again.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::model::Scope;

use super::{
    super::{HookTarget, hub::Hub, permission::Need, state::moment, webhook::Delivered},
    answer::{ApiError, allowed, id},
    app::asserted,
};
use crate::deliver::HOOK_ID;

/// How many deliveries are on a page unless it is said, and at most.
const PER_PAGE: usize = 30;
const PER_PAGE_MAX: usize = 100;

/// Which page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part {
    per_page: Option<usize>,
    cursor: Option<String>,
}

/// Whose hook it is: a repository's, an organization's, or the App's own.
enum Owner {
    Place(Scope, u64),
    App,
}

impl Owner {
    /// The one that the path names, if the caller may know of its deliveries.
    fn of(hub: &Hub, request: &HttpRequest) -> Result<Self, ApiError> {
        if request.match_info().get("hook_id").is_none() {
            return asserted(request).map(|_| Self::App);
        }
        let place = allowed(request, Need::Hooks)?;
        let hook = id(request, "hook_id")?;
        // The stand-in's own has been at every place, whatever it is now.
        let known = hook == HOOK_ID || hub.hooks(&place).iter().any(|known| known.id == hook);
        if known { Ok(Self::Place(place, hook)) } else { Err(ApiError::not_found()) }
    }

    fn has(&self, delivered: &Delivered) -> bool {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        match (self, delivered.target) {
            (Self::Place(_, hook), _) if *hook != delivered.hook => false,
            (Self::Place(..), _) if delivered.event == "ping" => true,
            (Self::Place(Scope::Repository(repository), _), HookTarget::Repository) => {
                same(repository.as_str(), &delivered.repository)
            }
            (Self::Place(Scope::Organization(login), _), HookTarget::Organization) => {
                let owner = delivered.repository.split_once('/').map(|(owner, _)| owner);
                owner.is_some_and(|owner| same(login, owner))
            }
            (Self::App, HookTarget::Integration) => true,
            _ => false,
        }
    }
}

pub(super) async fn list(hub: Data<Hub>, request: HttpRequest, part: Query<Part>) -> Result<HttpResponse, ApiError> {
    let owner = Owner::of(&hub, &request)?;
    let size = part.per_page.unwrap_or(PER_PAGE).clamp(1, PER_PAGE_MAX);
    let below = part.cursor.as_deref().and_then(|cursor| cursor.strip_prefix("v1_")?.parse().ok()).unwrap_or(u64::MAX);
    let found: Vec<Delivered> = hub.look(|inner| {
        let delivered = inner.delivered.iter().rev();
        delivered.filter(|it| it.id < below && owner.has(it)).take(size + 1).cloned().collect()
    });
    let page = &found[..found.len().min(size)];
    let mut response = HttpResponse::Ok();
    if let (Some(last), true) = (page.last(), found.len() > size) {
        let url = format!("{}{}?per_page={size}&cursor=v1_{}", hub.public_url, request.path(), last.id);
        response.insert_header(("link", format!("<{url}>; rel=\"next\"")));
    }
    Ok(response.json(page.iter().map(document).collect::<Vec<Value>>()))
}

pub(super) async fn redeliver(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let owner = Owner::of(&hub, &request)?;
    let id = id(&request, "delivery_id")?;
    let known = hub.look(|inner| inner.delivered.iter().any(|it| it.id == id && owner.has(it)));
    if known && hub.redeliver_one(id) {
        return Ok(HttpResponse::Accepted().json(json!({})));
    }
    Err(ApiError::not_found())
}

fn document(delivered: &Delivered) -> Value {
    json!({
        "id": delivered.id,
        "guid": delivered.guid,
        "delivered_at": moment(delivered.at),
        "redelivery": delivered.redelivery,
        "duration": delivered.took.as_secs_f64(),
        "status": delivered.status.map_or("timed out", |status| if status < 300 { "OK" } else { "Invalid HTTP Response" }),
        "status_code": delivered.status.unwrap_or_default(),
        "event": delivered.event,
        "action": delivered.action,
        "installation_id": null,
        "repository_id": 701_234_567,
        "throttled_at": null,
    })
}
