//! Registered runners and their groups.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        hub::Hub,
        permission::Need,
        state::{Runner, State},
    },
    answer::{ApiError, allowed, id},
    page::Page,
};

/// The query of a list of runners.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    name: Option<String>,
}

pub(super) async fn list(
    hub: Data<Hub>,
    request: HttpRequest,
    page: Query<Page>,
    filter: Query<Filter>,
) -> Result<HttpResponse, ApiError> {
    let scope = allowed(&request, Need::Runners)?;
    let runners = |state: &State| -> Vec<Value> {
        state.runners_at(&scope, filter.name.as_deref()).into_iter().map(Runner::document).collect()
    };
    let all = hub.look(|inner| runners(&inner.state));
    Ok(paged(&hub, &request, *page, "runners", all))
}

pub(super) async fn get(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let scope = allowed(&request, Need::Runners)?;
    let id = id(&request, "runner_id")?;
    let runner = hub.look(|inner| inner.state.runner_at(&scope, id).map(Runner::document));
    Ok(HttpResponse::Ok().json(runner.ok_or_else(ApiError::not_found)?))
}

pub(super) async fn delete(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let scope = allowed(&request, Need::Runners)?;
    let id = id(&request, "runner_id")?;
    hub.change(|state, _| state.delete_runner(&scope, id))?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn groups(hub: Data<Hub>, request: HttpRequest, page: Query<Page>) -> Result<HttpResponse, ApiError> {
    let scope = allowed(&request, Need::Runners)?;
    let groups = hub.look(|inner| inner.state.groups_at(&scope)).into_iter().map(|group| json!(group));
    Ok(paged(&hub, &request, *page, "runner_groups", groups.collect()))
}

/// One page of `all`, which the answer has under `name`.
pub(super) fn paged(hub: &Hub, request: &HttpRequest, page: Page, name: &str, all: Vec<Value>) -> HttpResponse {
    let total = all.len();
    let mut response = HttpResponse::Ok();
    if let Some(link) = page.link(request, &hub.public_url, total) {
        response.insert_header(link);
    }
    response.json(json!({ "total_count": total, name: page.cut(all) }))
}
