//! Which handler has which path.

use actix_web::{
    HttpResponse, Resource, ResponseError as _,
    middleware::from_fn,
    web::{self, ServiceConfig, delete, get, patch, post},
};

use super::{answer::ApiError, app, control, deliveries, gate, hooks, jobs, protocol, registration, runners};

/// The paths of repositories, organizations and enterprises.
const SCOPES: [&str; 3] = ["/repos/{owner}/{repo}", "/orgs/{org}", "/enterprises/{enterprise}"];
/// The most bytes of a body.
const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;

/// Adds all routes to an application.
pub(in super::super) fn routes(config: &mut ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
        .app_data(web::JsonConfig::default().limit(BODY_BYTES_MAX))
        .service(web::scope("/api/v3").wrap(from_fn(gate::api)).configure(api).default_service(web::to(unknown)))
        .service(web::scope("/_standin/runner").wrap(from_fn(gate::protocol)).configure(runner))
        .service(web::scope("/_standin").configure(controls));
}

fn api(config: &mut ServiceConfig) {
    for scope in SCOPES {
        let runners = format!("{scope}/actions/runners");
        config
            .service(at(&format!("{runners}/registration-token")).route(post().to(registration::registration_token)))
            .service(at(&format!("{runners}/remove-token")).route(post().to(registration::remove_token)))
            .service(at(&format!("{runners}/generate-jitconfig")).route(post().to(registration::jit_config)))
            .service(at(&runners).route(get().to(runners::list)))
            .service(
                at(&format!("{runners}/{{runner_id}}"))
                    .route(get().to(runners::get))
                    .route(delete().to(runners::delete)),
            );
    }
    for scope in &SCOPES[1..] {
        config.service(at(&format!("{scope}/actions/runner-groups")).route(get().to(runners::groups)));
    }
    for scope in &SCOPES[..2] {
        config.service(at(&format!("{scope}/installation")).route(get().to(app::installation)));
    }
    for scope in &SCOPES[..2] {
        let hook = format!("{scope}/hooks/{{hook_id}}");
        config
            .service(at(&format!("{scope}/hooks")).route(get().to(hooks::list)).route(post().to(hooks::add)))
            .service(at(&format!("{hook}/pings")).route(post().to(hooks::ping)))
            .service(
                at(&hook)
                    .route(get().to(hooks::get))
                    .route(patch().to(hooks::change))
                    .route(delete().to(hooks::remove)),
            );
    }
    config.service(at("/app/hook/config").route(get().to(hooks::app)).route(patch().to(hooks::change_app)));
    for hook in
        [format!("{}/hooks/{{hook_id}}", SCOPES[0]), format!("{}/hooks/{{hook_id}}", SCOPES[1]), "/app/hook".to_owned()]
    {
        config.service(at(&format!("{hook}/deliveries")).route(get().to(deliveries::list))).service(
            at(&format!("{hook}/deliveries/{{delivery_id}}/attempts")).route(post().to(deliveries::redeliver)),
        );
    }
    let actions = format!("{}/actions", SCOPES[0]);
    config
        .service(at("/app").route(get().to(app::app)))
        .service(at("/app/installations/{installation_id}/access_tokens").route(post().to(app::access_token)))
        .service(at(&format!("{actions}/jobs/{{job_id}}")).route(get().to(jobs::job)))
        .service(at(&format!("{actions}/runs")).route(get().to(jobs::runs)))
        .service(at(&format!("{actions}/runs/{{run_id}}/jobs")).route(get().to(jobs::run_jobs)))
        .service(at("/rate_limit").route(get().to(jobs::rate_limit)));
}

fn runner(config: &mut ServiceConfig) {
    config
        .route("/register", post().to(protocol::register))
        .route("/registration", delete().to(protocol::deregister))
        .route("/session", post().to(protocol::open))
        .route("/session/{session}", delete().to(protocol::close))
        .route("/session/{session}/message", get().to(protocol::message))
        .route("/session/{session}/jobs/{job_id}/accept", post().to(protocol::accept))
        .route("/session/{session}/jobs/{job_id}/renew", post().to(protocol::renew))
        .route("/session/{session}/jobs/{job_id}/finish", post().to(protocol::finish));
}

fn controls(config: &mut ServiceConfig) {
    config
        .route("/state", get().to(control::state))
        .service(web::resource("/faults").route(post().to(control::fault)).route(delete().to(control::clear_faults)))
        .route("/jobs", post().to(control::queue))
        .route("/jobs/adopt", post().to(control::adopt))
        .route("/jobs/{job_id}", get().to(control::job))
        .route("/jobs/{job_id}/payload", get().to(control::payload))
        .route("/jobs/{job_id}/cancel", post().to(control::cancel));
}

/// GitHub answers 404, not 405, to a method that a path has not.
fn at(path: &str) -> Resource {
    web::resource(path.to_owned()).default_service(web::to(unknown))
}

async fn unknown() -> HttpResponse {
    ApiError::not_found().error_response()
}
