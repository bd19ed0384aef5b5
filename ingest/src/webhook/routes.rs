//! The public listener's routes.

use actix_web::{
    HttpRequest, HttpResponse, Route,
    web::{self, Data, ServiceConfig},
};

use shared::model::RegisterAt;

use super::{inbox::Inbox, receive::receive};
use shared::admin::{Answer, only, unknown};

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
#[utoipa::path(
    get, path = "/heartbeat", tag = "public", security(()),
    responses((status = 200, body = Answer<'static>, description = "It is")),
)]
pub(crate) async fn heartbeat() -> HttpResponse {
    HttpResponse::Ok().json(Answer { status: "ok", msg: "ingest is up" })
}
