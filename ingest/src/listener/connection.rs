//! A client's connection, which costs next to nothing while no request is under way on it.
//!
//! The HTTP server has some 30 KiB for each connection that it is given, and keeps them for as long as it has it. It is given one only for a request,
//! and the connection is taken back when that is answered. So many requests are under way at once; the others stay in the
//! kernel until it is their turn. A sender that lets us wait has its turn taken away, and so keeps nobody out.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::Poll,
};

use actix_server::GracefulShutdownSignal;
use actix_service::Service;
use actix_web::rt::net::TcpStream;
use tokio::{
    select,
    sync::{Semaphore, SemaphorePermit},
    time::{Duration, Instant, sleep_until, timeout},
};

use super::exchange::{Exchange, Lent};
use crate::startup::HEAD_DEADLINE;

/// How many requests a thread reads and answers at once. They keep the queue busy, and take 2 MiB of memory.
const UNDER_WAY_MAX: usize = 64;

/// How long a request may keep its turn: GitHub sends head and body at once, and the queue takes a few milliseconds.
const TURN: Duration = Duration::from_millis(100);

/// How long a request may take: longer than its head, its body and the queue may take together, each of which is told of its own deadline
/// before this one cuts it off.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(20);

/// How long a connection stays without a request: longer than the minute that common proxies keep theirs for, so that none sends a delivery
/// over one that is being closed.
const IDLE: Duration = Duration::from_secs(75);

/// What the connections of one thread share.
pub(super) struct Connections<S> {
    /// The HTTP server.
    http: S,
    turns: Semaphore,
    stopping: GracefulShutdownSignal,
}

impl<S: Service<(Lent, Option<SocketAddr>)>> Connections<S> {
    /// They are served by `http` until they are `stopping`.
    pub(super) fn new(http: S, stopping: GracefulShutdownSignal) -> Self {
        Self { http, turns: Semaphore::new(UNDER_WAY_MAX), stopping }
    }

    /// Serves a client until it or the server closes the connection.
    pub(super) async fn serve(&self, stream: TcpStream) -> Result<(), S::Error> {
        let peer = stream.peer_addr().ok();
        let stream = Rc::new(RefCell::new(stream));
        let mut patience = HEAD_DEADLINE;
        while self.is_asked(&stream, patience).await {
            let Ok(turn) = self.turns.acquire().await else { break };
            let exchange = Rc::new(Exchange::default());
            let lent = Lent { stream: Rc::clone(&stream), exchange: Rc::clone(&exchange) };
            if !is_kept(self.http.call((lent, peer)), &exchange, turn).await? {
                break;
            }
            if exchange.is_begun() {
                patience = IDLE;
            }
        }
        Ok(())
    }

    /// Waits for a request, or for the client to hang up.
    async fn is_asked(&self, stream: &RefCell<TcpStream>, patience: Duration) -> bool {
        let readable = poll_fn(|context| stream.borrow().poll_read_ready(context));
        select! {
            biased;
            ready = timeout(patience, readable) => matches!(ready, Ok(Ok(()))),
            () = self.stopping.notified() => false,
        }
    }
}

/// Has one request served. Returns whether the connection can be used for another.
async fn is_kept<T, E>(
    serving: impl Future<Output = Result<T, E>>,
    exchange: &Exchange,
    turn: SemaphorePermit<'_>,
) -> Result<bool, E> {
    let begun = Instant::now();
    let (mut serving, mut alarm, mut turn) = (pin!(serving), pin!(sleep_until(begun + TURN)), Some(turn));
    poll_fn(|context| {
        match serving.as_mut().poll(context) {
            Poll::Ready(closed) => return Poll::Ready(closed.map(|_| false)),
            Poll::Pending if exchange.is_over() => return Poll::Ready(Ok(true)),
            Poll::Pending => {}
        }
        while alarm.as_mut().poll(context).is_ready() {
            if turn.take().is_none() {
                return Poll::Ready(Ok(false));
            }
            alarm.as_mut().reset(begun + EXCHANGE_DEADLINE);
        }
        Poll::Pending
    })
    .await
}
