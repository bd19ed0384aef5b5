//! Jobs and runs of a repository, and the rate limit.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{
        hub::{Caller, Hub},
        permission::Need,
    },
    answer::{ApiError, allowed, id},
    page::Page,
    runners::paged,
};

/// The query of a list of runs.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    status: Option<String>,
}

pub(super) async fn job(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let repository = allowed(&request, Need::ReadJobs)?.to_string();
    let id = id(&request, "job_id")?;
    let job = hub.look(|inner| inner.state.job_document(&repository, id));
    Ok(HttpResponse::Ok().json(job.ok_or_else(ApiError::not_found)?))
}

pub(super) async fn runs(
    hub: Data<Hub>,
    request: HttpRequest,
    page: Query<Page>,
    filter: Query<Filter>,
) -> Result<HttpResponse, ApiError> {
    let repository = allowed(&request, Need::ReadJobs)?.to_string();
    let runs = hub.look(|inner| inner.state.runs(&repository, filter.status.as_deref()));
    Ok(paged(&hub, &request, *page, "workflow_runs", runs))
}

pub(super) async fn run_jobs(
    hub: Data<Hub>,
    request: HttpRequest,
    page: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let repository = allowed(&request, Need::ReadJobs)?.to_string();
    let id = id(&request, "run_id")?;
    let jobs = hub.look(|inner| inner.state.run_jobs(&repository, id)).ok_or_else(ApiError::not_found)?;
    Ok(paged(&hub, &request, *page, "jobs", jobs))
}

pub(super) async fn rate_limit(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    use actix_web::HttpMessage as _;

    let budget = request.extensions().get::<Caller>().map(|caller| caller.budget).ok_or_else(ApiError::not_found)?;
    let core = json!({
        "limit": budget.limit,
        "used": budget.used,
        "remaining": budget.remaining(),
        "reset": budget.reset,
    });
    Ok(HttpResponse::Ok().json(json!({ "resources": { "core": core }, "rate": core })))
}
