//! What is only looked at.

use actix_web::{
    HttpRequest,
    web::{Data, Json, Path},
};
use serde::Deserialize;
use shared::{
    model::{JobId, JobState},
    queue::{Explanation, JobRecord},
    settings,
    status::{RunnerSlot, Status},
};
use utoipa::IntoParams;

use super::{super::access::Access, ApiError, query};
use shared::admin::Answer;

/// How many jobs a list has unless the request says so.
const LIMIT: u32 = 100;

/// Which jobs are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// Only those in this state.
    #[param(nullable = false)]
    state: Option<JobState>,
    /// How many at most.
    #[serde(default = "limit", deserialize_with = "settings::number::<_, 1, 1000>")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

fn limit() -> u32 {
    LIMIT
}

/// How many jobs are in which state, and which workers are there: `worker status --json`
#[utoipa::path(
    get, path = "/api/v1/status", tag = "queue",
    responses((status = 200, body = Status, description = "All pools and workers"), super::openapi::Refused),
)]
pub(super) async fn status(access: Data<Access>) -> Result<Json<Status>, ApiError> {
    access.look(async |queue| queue.status().await).await.map(Json)
}

/// The runners that are up, or being prepared: `worker runners --json`
#[utoipa::path(
    get, path = "/api/v1/runners", tag = "queue",
    responses((status = 200, body = [RunnerSlot], description = "All of them"), super::openapi::Refused),
)]
pub(super) async fn runners(access: Data<Access>) -> Result<Json<Vec<RunnerSlot>>, ApiError> {
    access.look(async |queue| queue.runners().await).await.map(Json)
}

/// Jobs, those that run in front, then those that wait, the newest of each first: `worker jobs --json`
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "jobs", params(Listed),
    responses(
        (status = 200, body = [JobRecord], description = "The jobs, without how their runners ended"),
        super::openapi::Invalid, super::openapi::Refused,
    ),
)]
pub(super) async fn jobs(request: HttpRequest, access: Data<Access>) -> Result<Json<Vec<JobRecord>>, ApiError> {
    let Listed { state, limit } = query(&request)?;
    access.look(async |queue| queue.jobs(state, limit as usize).await).await.map(Json)
}

/// All that is known of a job: `worker job ID --json`
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = JobId, Path, description = "GitHub's id of the job")),
    responses(
        (status = 200, body = JobRecord, description = "Its record"),
        (status = 404, body = Answer<'static>, description = "Nothing is known of it, or no longer"),
        super::openapi::Invalid, super::openapi::Refused,
    ),
)]
pub(super) async fn job(id: Path<String>, access: Data<Access>) -> Result<Json<JobRecord>, ApiError> {
    let id = job_id(&id)?;
    let days = access.queue().config().keep_days.as_secs() / 86_400;
    let record = access.look(async |queue| queue.job(id).await).await?;
    record.map(Json).ok_or(ApiError::UnknownJob { job: id, days })
}

/// Why a job is where it is: `worker explain ID --json`
///
/// Of one that is not known, the reason is `unknown_job`. GitHub is not asked for it: `worker explain` does that.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/explain", tag = "jobs",
    params(("id" = JobId, Path, description = "GitHub's id of the job")),
    responses(
        (status = 200, body = Explanation, description = "Why, in a word and in words"),
        super::openapi::Invalid, super::openapi::Refused,
    ),
)]
pub(super) async fn explain(id: Path<String>, access: Data<Access>) -> Result<Json<Explanation>, ApiError> {
    let id = job_id(&id)?;
    access.look(async |queue| queue.explain(id).await).await.map(Json)
}

fn job_id(text: &str) -> Result<JobId, ApiError> {
    let id: Result<JobId, _> = text.parse();
    id.map_err(|error| ApiError::Invalid(error.to_string()))
}
