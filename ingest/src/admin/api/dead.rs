//! Dead letters: to be looked at, put back and taken out.

use actix_web::{
    HttpMessage as _, HttpRequest,
    web::{Data, Json, Payload},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Number;
use shared::{
    model::{Age, JobId, Scope},
    queue::{DeadLetters, JobRecord, Queue, QueueError},
    settings,
};
use utoipa::{
    IntoParams, PartialSchema as _, ToSchema,
    openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
};

use super::{
    super::{access::Access, csrf::Csrf, guard::Proof},
    ApiError, body, query,
};

/// How many dead letters a list has unless the request says so.
const LIMIT: u32 = 1000;

/// How long a text to look for may be.
const TEXT_CHARS_MAX: usize = 500;

/// How many jobs may be named at once.
const NAMED_MAX: usize = 1000;

/// Which dead letters are listed: those that meet every condition that is set.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// Those whose last error has this text in it, in any case.
    #[param(nullable = false, max_length = 500)]
    error: Option<String>,
    /// Those of this scope: `OWNER/REPO`, `ORG` or `enterprises/ENTERPRISE`.
    #[param(nullable = false)]
    scope: Option<Scope>,
    /// Those that died at least so long ago.
    #[param(nullable = false)]
    older_than: Option<Age>,
    /// Those that died at most so long ago.
    #[param(nullable = false)]
    newer_than: Option<Age>,
    /// How many at most.
    #[serde(default = "limit", deserialize_with = "settings::number::<_, 1, 1000>")]
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: u32,
}

fn limit() -> u32 {
    LIMIT
}

/// Which dead letters are changed: those that are named, or all, and of them those that meet every condition that is set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Jobs by GitHub's id, or `all`.
    #[schema(schema_with = jobs)]
    jobs: Jobs,
    /// Those whose last error has this text in it, in any case.
    #[schema(max_length = 500)]
    error: Option<String>,
    /// Those of this scope: `OWNER/REPO`, `ORG` or `enterprises/ENTERPRISE`.
    scope: Option<Scope>,
    /// Those that died at least so long ago.
    older_than: Option<Age>,
    /// Those that died at most so long ago.
    newer_than: Option<Age>,
    /// Only say which they are.
    #[serde(default)]
    dry_run: bool,
}

/// Jobs by GitHub's id, or `all`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "jobs is an array of ids, or \"all\"")]
enum Jobs {
    /// These.
    These(Vec<Id>),
    /// All that meet the conditions.
    All(All),
}

/// A job's id, as JSON may have it: `42.0` is the same number.
struct Id(JobId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?.to_string();
        number.strip_suffix(".0").unwrap_or(&number).parse().map(Self).map_err(D::Error::custom)
    }
}

/// The word for all.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum All {
    All,
}

/// A text to look for, which has a bound.
fn short(text: Option<String>) -> Result<Option<String>, ApiError> {
    if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
        return Err(ApiError::Invalid(format!("error has at most {TEXT_CHARS_MAX} characters")));
    }
    Ok(text)
}

fn jobs() -> Schema {
    let some = ArrayBuilder::new().items(JobId::schema()).min_items(Some(1)).max_items(Some(NAMED_MAX));
    OneOfBuilder::new()
        .item(some)
        .item(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["all"])))
        .build()
        .into()
}

impl Change {
    fn letters(self) -> Result<DeadLetters, ApiError> {
        let jobs = match self.jobs {
            Jobs::These(jobs) if jobs.is_empty() || jobs.len() > NAMED_MAX => {
                return Err(ApiError::Invalid(format!("jobs has 1 to {NAMED_MAX} ids, or is \"all\"")));
            }
            Jobs::These(jobs) => jobs.into_iter().map(|Id(job)| job).collect(),
            Jobs::All(All::All) => Vec::new(),
        };
        let [older_than, newer_than] = [self.older_than, self.newer_than].map(|age| age.map(Age::duration));
        Ok(DeadLetters { jobs, error: short(self.error)?, scope: self.scope, older_than, newer_than })
    }
}

/// Dead letters, pool by pool, those that died first in front: `worker dead list --json`
#[utoipa::path(
    get, path = "/api/v1/dead", tag = "dead letters", params(Listed),
    responses(
        (status = 200, body = [JobRecord], description = "Their records, without how their runners ended"),
        super::openapi::Invalid, super::openapi::Refused,
    ),
)]
pub(super) async fn list(request: HttpRequest, access: Data<Access>) -> Result<Json<Vec<JobRecord>>, ApiError> {
    let Listed { error, scope, older_than, newer_than, limit } = query(&request)?;
    let [older_than, newer_than] = [older_than, newer_than].map(|age| age.map(Age::duration));
    let which = DeadLetters { jobs: Vec::new(), error: short(error)?, scope, older_than, newer_than };
    access.look(async |queue| queue.dead_letters(&which, limit as usize).await).await.map(Json)
}

/// Puts dead letters back into the queue, with all attempts before them: `worker dead replay --json`
#[utoipa::path(
    post, path = "/api/v1/dead/replay", tag = "dead letters", request_body = Change,
    responses(
        (status = 200, body = [JobId], description = "Those that were put back. One that was named and is not among them is no dead letter"),
        super::openapi::Changed, super::openapi::Invalid, super::openapi::Refused,
    ),
)]
pub(super) async fn replay(
    request: HttpRequest,
    payload: Payload,
    csrf: Data<Csrf>,
    access: Data<Access>,
) -> Result<Json<Vec<JobId>>, ApiError> {
    change((&request, payload), &csrf, &access, Queue::replay).await
}

/// Takes dead letters out for good; their records say so: `worker dead drop --json`
#[utoipa::path(
    post, path = "/api/v1/dead/drop", tag = "dead letters", request_body = Change,
    responses(
        (status = 200, body = [JobId], description = "Those that were taken out. One that was named and is not among them is no dead letter"),
        super::openapi::Changed, super::openapi::Invalid, super::openapi::Refused,
    ),
)]
pub(super) async fn drop(
    request: HttpRequest,
    payload: Payload,
    csrf: Data<Csrf>,
    access: Data<Access>,
) -> Result<Json<Vec<JobId>>, ApiError> {
    change((&request, payload), &csrf, &access, Queue::drop_dead).await
}

/// Reads which dead letters are meant, and changes them unless they are only to be named.
async fn change(
    (request, payload): (&HttpRequest, Payload),
    csrf: &Csrf,
    access: &Access,
    act: impl AsyncFnOnce(&Queue, &DeadLetters) -> Result<Vec<JobId>, QueueError>,
) -> Result<Json<Vec<JobId>>, ApiError> {
    body::is_json(request.headers())?;
    let proof = request.extensions().get::<Proof>().copied();
    csrf.prove_json(request.headers(), proof.unwrap_or(Proof::Basic))?;
    let change: Change = body::read(payload).await?;
    let dry_run = change.dry_run;
    let which = change.letters()?;
    let done = access.change(async |queue| {
        if dry_run {
            let found = queue.dead_letters(&which, usize::MAX).await?;
            return Ok(found.into_iter().map(|job| job.id).collect());
        }
        act(queue, &which).await
    });
    done.await.map(Json)
}
