//! The public listener's routes.

use actix_web::{
    HttpRequest, HttpResponse, Route,
    http::header,
    web::{self, Data, ServiceConfig},
};

use shared::model::RegisterAt;

use super::{answer::Json, inbox::Inbox, receive::receive};

/// Adds the routes to an application whose data has an [`Inbox`].
pub(crate) fn routes(config: &mut ServiceConfig) {
    for (path, register_at) in [
        ("/webhook", RegisterAt::HookTarget),
        ("/webhook/repo/docker", RegisterAt::Repository),
        ("/webhook/org/docker", RegisterAt::Organization),
    ] {
        let deliveries = web::resource(path).route(deliveries(register_at)).default_service(only("POST"));
        config.service(deliveries);
    }
    let heartbeat = web::resource("/heartbeat").route(web::get().to(heartbeat)).route(web::head().to(heartbeat));
    config.service(heartbeat.default_service(only("GET, HEAD"))).default_service(web::to(unknown));
}

fn deliveries(register_at: RegisterAt) -> Route {
    web::post().to(move |request: HttpRequest, payload: web::Payload, inbox: Data<Inbox>| async move {
        receive(register_at, request, payload.into_inner(), &inbox).await
    })
}

/// Says that the process is up. It does not ask the queue: `/readyz` of the private listener does.
async fn heartbeat() -> HttpResponse {
    HttpResponse::Ok().json(Json { status: "ok", msg: "ingest is up" })
}

async fn unknown() -> HttpResponse {
    HttpResponse::NotFound().json(Json { status: "not_found", msg: "there is nothing here" })
}

/// The answer to every method but `allowed`.
fn only(allowed: &'static str) -> Route {
    web::to(move || async move {
        let answer = Json { status: "method_not_allowed", msg: "the method is not allowed here" };
        HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, allowed)).json(answer)
    })
}
