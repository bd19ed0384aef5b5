//! The thread in which a stand-in lives, and what every call goes through.

use std::{
    convert::Infallible,
    io,
    os::unix::net::UnixListener,
    sync::{Arc, mpsc::SyncSender},
};

use actix_web::{
    App, Error, HttpServer,
    body::{BodyStream, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
    web::{Data, JsonConfig, PayloadConfig, Query},
};
use futures_util::stream;
use tokio::{
    runtime,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{
    hub::Hub,
    routes::{Named, routes},
};
use crate::github::Effect;

/// How many threads answer.
const THREADS: usize = 2;
/// The most bytes of a body.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Runs a stand-in until `shutdown`. `ready` hears when it answers, or why it does not.
pub(super) fn run(
    hub: Arc<Hub>,
    listener: UnixListener,
    shutdown: &CancellationToken,
    ready: &SyncSender<io::Result<()>>,
) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let started = runtime.and_then(|runtime| {
        let _entered = runtime.enter();
        let hub = Data::from(hub);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(hub.clone())
                .app_data(PayloadConfig::new(BODY_BYTES_MAX))
                .app_data(JsonConfig::default().limit(BODY_BYTES_MAX))
                .configure(routes)
        });
        let server = server.workers(THREADS).disable_signals().h1_allow_half_closed(false).listen_uds(listener)?;
        Ok((runtime, server.run()))
    });
    let (runtime, server) = match started {
        Ok(started) => started,
        Err(error) => return drop(ready.send(Err(error))), // whoever started it hears why
    };
    runtime.block_on(async {
        let handle = server.handle();
        drop(ready.send(Ok(())));
        tokio::select! {
            ended = server => if let Err(error) = ended {
                error!(%error, "The stand-in for Docker failed");
            },
            () = shutdown.cancelled() => handle.stop(false).await,
        }
    });
}

/// A call under way that makes, fills or starts a container.
struct StartCall(Data<Hub>);

impl StartCall {
    fn of(hub: &Data<Hub>, request: &ServiceRequest) -> Option<Self> {
        let route = request.match_pattern().unwrap_or_default();
        let is_one = match *request.method() {
            Method::POST => route.ends_with("/containers/create") || route.ends_with("/start"),
            Method::PUT => route.ends_with("/archive"),
            _ => false,
        };
        is_one.then(|| {
            hub.look(|inner| {
                inner.starts += 1;
                inner.counts.call(inner.starts);
            });
            Self(hub.clone())
        })
    }
}

impl Drop for StartCall {
    fn drop(&mut self) {
        self.0.look(|inner| inner.starts -= 1);
    }
}

/// Carries a call out, unless a fault befalls it.
pub(super) async fn befallen(
    hub: Data<Hub>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = request.method().to_string();
    let _under_way = StartCall::of(&hub, &request);
    let effect = hub.look(|inner| {
        let path = path(&request, |id| inner.name(id).unwrap_or(id).to_owned());
        let route = request.match_pattern().unwrap_or_default();
        *inner
            .calls
            .entry((method.clone(), route.trim_start_matches("/v{version:[0-9.]+}").to_owned()))
            .or_default() += 1;
        inner.faults.take(&method, &path)
    });
    let (mut lost, mut late) = (false, Duration::ZERO);
    match effect {
        Some(Effect::Answer { status, body, .. }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(request.into_response(actix_web::HttpResponse::build(status).json(body)));
        }
        // Until the client goes, or the stand-in stops.
        Some(Effect::Hang) => match std::future::pending::<Infallible>().await {},
        Some(Effect::Delay(millis)) => sleep(Duration::from_millis(millis)).await,
        Some(Effect::Late(millis)) => late = Duration::from_millis(millis),
        Some(Effect::Lost) => lost = true,
        None => {}
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    sleep(late).await;
    if lost {
        let broken = || stream::iter([Err::<actix_web::web::Bytes, _>(io::Error::from(io::ErrorKind::BrokenPipe))]);
        response = response.map_body(|_, _| BoxBody::new(BodyStream::new(broken())));
    }
    Ok(response)
}

/// The path of a call below the version, with the container's name where the API has its id or, for `create`, nothing:
/// `/containers/gha-7-1/create`.
fn path(request: &ServiceRequest, name: impl Fn(&str) -> String) -> String {
    let path = request.path().trim_start_matches('/');
    let versioned = path.split_once('/').filter(|(first, _)| first.starts_with('v') && first.contains('.'));
    let below = versioned.map_or(path, |(_, below)| below);
    match below.split('/').collect::<Vec<_>>().as_slice() {
        ["containers", "create"] => {
            let named = Query::<Named>::from_query(request.query_string()).ok();
            format!("/containers/{}/create", named.map(|named| named.into_inner().name).unwrap_or_default())
        }
        ["containers", id, rest @ ..] if *id != "json" => [&["", "containers", &name(id)], rest].concat().join("/"),
        _ => format!("/{below}"),
    }
}
