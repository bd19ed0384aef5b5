//! The control of the stand-in over HTTP: what its owner does through the library is done here by the command's user.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Bytes, Data, Json, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Fault, JobSpec, hub::Hub},
    answer::{ApiError, body, id},
};

/// How a job is queued.
#[derive(Debug, Deserialize)]
pub(super) struct Queueing {
    /// Whether a webhook tells of it.
    #[serde(default = "yes")]
    webhook: bool,
}

/// The step of a job that was adopted.
#[derive(Debug, Deserialize)]
pub(super) struct Adoption {
    #[serde(default)]
    script: Option<String>,
}

fn yes() -> bool {
    true
}

pub(super) async fn state(hub: Data<Hub>) -> HttpResponse {
    let state = hub.look(|inner| {
        let calls = inner.calls.counts().iter();
        let calls = calls.map(|((method, route), count)| json!({ "method": method, "route": route, "count": count }));
        json!({
            "runners": inner.state.runner_views(),
            "jobs": inner.state.job_views(),
            "deliveries": inner.delivered,
            "calls": calls.collect::<Vec<Value>>(),
            "faults_left": inner.faults.left(),
        })
    });
    HttpResponse::Ok().json(state)
}

pub(super) async fn queue(hub: Data<Hub>, queueing: Query<Queueing>, bytes: Bytes) -> Result<HttpResponse, ApiError> {
    let spec: JobSpec = body(&bytes)?;
    let id = hub.change(|state, now| {
        let id = state.add_job(spec, now);
        queueing.webhook.then(|| state.tell(id));
        id
    });
    Ok(HttpResponse::Created().json(hub.look(|inner| inner.state.job_view(id))))
}

pub(super) async fn adopt(hub: Data<Hub>, adoption: Query<Adoption>, bytes: Bytes) -> Result<HttpResponse, ApiError> {
    let script = adoption.script.as_deref().unwrap_or("true");
    let adopted = hub.change(|state, now| state.adopt_job(&bytes, script, now));
    let id = adopted.map_err(|odd| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, odd.to_string()))?;
    Ok(HttpResponse::Created().json(hub.look(|inner| inner.state.job_view(id))))
}

pub(super) async fn job(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let id = id(&request, "job_id")?;
    let job = hub.look(|inner| inner.state.job_view(id)).ok_or_else(ApiError::not_found)?;
    Ok(HttpResponse::Ok().json(job))
}

pub(super) async fn payload(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let id = id(&request, "job_id")?;
    let payload = hub.look(|inner| inner.state.payload(id)).ok_or_else(ApiError::not_found)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(payload))
}

pub(super) async fn cancel(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let id = id(&request, "job_id")?;
    if hub.change(|state, now| state.cancel_job(id, now)) {
        return Ok(HttpResponse::Accepted().finish());
    }
    Err(ApiError::new(StatusCode::CONFLICT, "There is no such job, or it has ended."))
}

pub(super) async fn fault(hub: Data<Hub>, fault: Json<Fault>) -> HttpResponse {
    hub.look(|inner| inner.faults.add(fault.into_inner()));
    HttpResponse::Created().finish()
}

pub(super) async fn clear_faults(hub: Data<Hub>) -> HttpResponse {
    hub.look(|inner| inner.faults.clear());
    HttpResponse::NoContent().finish()
}
