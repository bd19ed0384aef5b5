//! What a GitHub App does as itself: it finds its installations and gets their tokens.

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, http::StatusCode, web::Data};
use serde_json::{Value, json};
use shared::model::Scope;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    super::{
        App, Installation,
        app::Mistake,
        hub::{Caller, Hub},
    },
    answer::{ApiError, id, scope},
};

pub(super) async fn app(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let app = asserted(&request)?;
    let permissions = app.installations.first().map(|installation| installation.permissions.document());
    Ok(HttpResponse::Ok().json(json!({
        "id": app.id,
        "slug": "stand-in",
        "name": "Stand-in",
        "permissions": permissions,
        "events": ["workflow_job"],
    })))
}

/// The installation at a repository or an organization.
pub(super) async fn installation(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let app = asserted(&request)?;
    let owner = match scope(&request) {
        Some(Scope::Repository(repository)) => repository.owner().to_owned(),
        Some(Scope::Organization(login)) => login,
        Some(Scope::Enterprise(_)) | None => return Err(ApiError::not_found()),
    };
    let installation = app.installations.iter().find(|installation| installation.account.eq_ignore_ascii_case(&owner));
    Ok(HttpResponse::Ok().json(document(&app, installation.ok_or_else(ApiError::not_found)?)))
}

pub(super) async fn access_token(hub: Data<Hub>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let app = asserted(&request)?;
    let id = id(&request, "installation_id")?;
    if !app.installations.iter().any(|installation| installation.id == id) {
        return Err(ApiError::not_found());
    }
    let (token, end) = hub.issue(id);
    let expires_at = end.format(&Rfc3339).unwrap_or_default();
    Ok(HttpResponse::Created().json(json!({ "token": token, "expires_at": expires_at })))
}

fn document(app: &App, installation: &Installation) -> Value {
    json!({
        "id": installation.id,
        "app_id": app.id,
        "account": { "login": installation.account },
        "created_at": OffsetDateTime::UNIX_EPOCH.format(&Rfc3339).unwrap_or_default(),
    })
}

/// The App that has shown who it is: these calls take nothing else.
pub(super) fn asserted(request: &HttpRequest) -> Result<App, ApiError> {
    let app = request.extensions().get::<Caller>().and_then(|caller| caller.app.clone());
    match app {
        Some(Ok(app)) => Ok(app),
        Some(Err(mistake)) => Err(mistake.into()),
        None => Err(ApiError::new(StatusCode::UNAUTHORIZED, "A JSON web token could not be decoded")),
    }
}

impl From<Mistake> for ApiError {
    fn from(mistake: Mistake) -> Self {
        match mistake {
            Mistake::NoSuchApp => Self::new(StatusCode::NOT_FOUND, "Integration not found"),
            Mistake::Wrong(message) => Self::new(StatusCode::UNAUTHORIZED, message),
        }
    }
}
