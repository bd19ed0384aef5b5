//! The thread in which a stand-in lives: its server, and the tasks beside it.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, web::Data};
use tokio::{
    runtime,
    sync::mpsc::UnboundedReceiver,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{http::routes, hub::Hub, state::Event, webhook::Sender};

/// How often it is looked what has happened because time passed.
const TICK: Duration = Duration::from_millis(100);
/// How many threads answer.
const THREADS: usize = 2;
/// How many connections wait to be accepted: a thousand runners may come at once.
const BACKLOG: u32 = 1024;

/// Runs a stand-in until `shutdown`. `ready` hears when it answers, or why it does not.
pub(super) fn run(
    hub: Arc<Hub>,
    listener: TcpListener,
    events: UnboundedReceiver<Event>,
    shutdown: &CancellationToken,
    ready: &SyncSender<io::Result<()>>,
) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let started = runtime.and_then(|runtime| {
        let _entered = runtime.enter();
        let server = serve(hub.clone(), listener)?;
        let sender = Sender::new(hub.clone()).map_err(io::Error::other)?;
        Ok((runtime, server, sender))
    });
    let (runtime, server, sender) = match started {
        Ok(started) => started,
        Err(error) => return drop(ready.send(Err(error))), // whoever started it hears why
    };
    runtime.block_on(async {
        let handle: ServerHandle = server.handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(async {
            if let Err(error) = server.await {
                error!(%error, "The stand-in's server failed");
            }
        });
        tasks.spawn(sender.run(events, shutdown.clone()));
        tasks.spawn(tick(hub, shutdown.clone()));
        drop(ready.send(Ok(())));
        shutdown.cancelled().await;
        handle.stop(false).await; // requests that wait for a job are broken off
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                error!(%error, "A task of the stand-in failed");
            }
        }
    });
}

fn serve(hub: Arc<Hub>, listener: TcpListener) -> io::Result<actix_web::dev::Server> {
    let hub = Data::from(hub);
    let server = HttpServer::new(move || App::new().app_data(hub.clone()).configure(routes))
        .workers(THREADS)
        .backlog(BACKLOG)
        .disable_signals()
        // A runner that hangs up waits no more.
        .h1_allow_half_closed(false)
        .listen(listener)?;
    Ok(server.run())
}

async fn tick(hub: Arc<Hub>, shutdown: CancellationToken) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        if hub.settle(super::state::State::tick) {
            hub.wake();
        }
    }
}
