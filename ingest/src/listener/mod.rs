//! The public listener.

mod connection;
mod exchange;
mod files;
mod linger;

use std::{io, net::SocketAddr, rc::Rc, time::Duration};

use actix_http::{HttpService, KeepAlive};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory as _, ServiceFactory as _, ServiceFactoryExt as _, fn_factory, fn_service, map_config,
};
use actix_web::{App, dev::AppConfig, middleware::from_fn, rt::net::TcpStream, web::Data};
use anyhow::Context as _;
use tokio::net::TcpSocket;

use self::{
    connection::Connections,
    exchange::{Exchange, Lent},
    linger::linger,
};
use crate::{
    startup::{HEAD_DEADLINE, STOP_SECONDS},
    webhook::{Inbox, routes},
};

/// How many connections it has open at once; more wait until one closes.
const CONNECTIONS_MAX: usize = 1_024;

/// How many more wait to be accepted; the kernel may have a lower bound.
const BACKLOG: u32 = 2_048;

/// How long a client that was answered before it had sent its whole body may go on sending before it is cut off.
const LINGER: Duration = Duration::from_secs(1);

/// Binds it, and has each of its threads deal with deliveries over a connection to the queue of its own.
///
/// # Errors
///
/// When the address cannot be bound.
pub(crate) fn public_server(inbox: &Inbox, bind: SocketAddr) -> anyhow::Result<(Server, u16)> {
    let named = || format!("INGEST_BIND: cannot listen on {bind}");
    let listener = listen(bind).with_context(named)?;
    let port = listener.local_addr().with_context(named)?.port();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let connections = files::allow(CONNECTIONS_MAX);
    let inbox = inbox.clone();
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder
        .workers(threads)
        .max_concurrent_connections(connections.div_ceil(threads)) // the server's limit is one thread's
        .shutdown_timeout(STOP_SECONDS)
        .disable_signals();
    let builder = builder.listen("public", listener, move || {
        let inbox = Data::new(inbox.apart());
        let app = App::new().app_data(inbox).wrap(from_fn(linger)).configure(routes);
        let (answering, stopping) = (stopping.clone(), stopping.clone());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = answering.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|lent: &Lent, data| {
                data.insert::<Rc<Exchange>>(Rc::clone(&lent.exchange));
            })
            .keep_alive(KeepAlive::Os) // it is up to us
            .client_request_timeout(HEAD_DEADLINE)
            .client_disconnect_timeout(LINGER)
            .h1(map_config(app.into_factory().map_err(|error| error.error_response()), |()| AppConfig::default()));
        let http = Rc::new(http);
        fn_factory(move || {
            let (http, stopping) = (Rc::clone(&http), stopping.clone());
            async move {
                let connections = Rc::new(Connections::new(http.new_service(()).await?, stopping));
                Ok::<_, ()>(fn_service(move |stream: TcpStream| {
                    let connections = Rc::clone(&connections);
                    async move { connections.serve(stream).await }
                }))
            }
        })
    });
    Ok((builder.with_context(named)?.run(), port))
}

fn listen(bind: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if bind.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(bind)?;
    socket.listen(BACKLOG)?.into_std()
}
